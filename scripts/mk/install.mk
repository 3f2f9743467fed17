# make install DESTDIR= PREFIX=: programs, unit file, example configuration, man pages.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/systemd/system,$(PREFIX)/lib/systemd/system)
MANPAGES := $(wildcard docs/man/*.[1-8])

# Examples go to the documentation: a configuration that is already there is never touched.
install: $(PROGRAMS) ## into DESTDIR and PREFIX (default /usr/local)
	install -D -m 755 $(BUILD)/sallyportd $(DESTDIR)$(PREFIX)/sbin/sallyportd
	install -D -m 755 $(BUILD)/sallyport $(DESTDIR)$(PREFIX)/bin/sallyport
	install -d -m 755 $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|;s|@BINDIR@|$(PREFIX)/bin|;s|@SYSCONFDIR@|$(SYSCONFDIR)|' \
		scripts/systemd/sallyport.service >$(DESTDIR)$(UNITDIR)/sallyport.service
	chmod 644 $(DESTDIR)$(UNITDIR)/sallyport.service
	install -d -m 750 $(DESTDIR)$(SYSCONFDIR)/sallyport $(DESTDIR)$(SYSCONFDIR)/sallyport/conf.d
	for f in $(wildcard configs/*.conf configs/examples/*.conf); do install -D -m 640 $$f \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport/examples/$${f##*/} || exit 1; done
	for f in $(MANPAGES); do install -D -m 644 $$f \
		$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/} || exit 1; done

.PHONY: uninstall
uninstall: ## remove what install wrote, keep the configuration
	rm -f $(DESTDIR)$(PREFIX)/sbin/sallyportd $(DESTDIR)$(PREFIX)/bin/sallyport
	rm -f $(DESTDIR)$(UNITDIR)/sallyport.service
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/sallyport
	for f in $(notdir $(MANPAGES)); do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$$f; done
