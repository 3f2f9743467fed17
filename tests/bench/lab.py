# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for one gateway under test and the far side around it; the gateways themselves."""
import json
import os
import shutil
import subprocess
import time

MACS = {"tun0": "02:00:00:00:01:01", "t0": "02:00:00:00:01:02",
        "out0": "02:00:00:00:02:01", "o0": "02:00:00:00:02:02"}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class BenchError(Exception):
    pass


def sh(*words, check=True, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if check and done.returncode:
        raise BenchError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class World:
    """far (clients and internet) and gw, two cables between them. Everything dies with close()."""

    def __init__(self, name, offload=True, gro=False):
        self.far, self.gw = f"spb{os.getpid()}{name}f", f"spb{os.getpid()}{name}g"
        self.children, self.gro = [], gro
        for ns in (self.far, self.gw):
            sh("ip", "netns", "add", ns)
            sh("ip", "-n", ns, "link", "set", "lo", "up")
        self.cable("t0", "198.18.0.2/24", "tun0", "198.18.0.1/24", offload, gro)
        self.cable("o0", "198.18.1.2/24", "out0", "198.18.1.1/24", offload, gro)
        for dev, addr, far in (("tun0", "198.18.0.2", "t0"), ("out0", "198.18.1.2", "o0")):
            sh("ip", "-n", self.gw, "neigh", "replace", addr, "lladdr", MACS[far], "dev", dev,
               "nud", "permanent")
        sh("ip", "-n", self.gw, "route", "add", "198.19.0.0/16", "via", "198.18.0.2")
        sh("ip", "-n", self.gw, "route", "add", "default", "via", "198.18.1.2")
        # Every client address answers here, without being configured one by one.
        sh("ip", "-n", self.far, "route", "add", "local", "198.19.0.0/16", "dev", "lo")
        for ns in (self.far, self.gw):
            self.at(ns, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.tun0.rp_filter=0",
                    "net.ipv4.conf.out0.rp_filter=0", check=False)

    def cable(self, far, far_addr, gw, gw_addr, offload, gro):
        sh("ip", "-n", self.far, "link", "add", far, "address", MACS[far], "type", "veth",
           "peer", "name", gw, "netns", self.gw, "address", MACS[gw])
        for ns, dev, addr, is_gw in ((self.far, far, far_addr, False), (self.gw, gw, gw_addr, True)):
            # The far side sends finished checksums: AF_XDP sees what the wire sees.
            for feature, on in (("tx", is_gw and offload), ("gso", offload), ("tso", offload),
                                ("gro", False)):
                self.feature(ns, dev, feature, on)
            sh("ip", "-n", ns, "addr", "add", addr, "dev", dev)
            sh("ip", "-n", ns, "link", "set", dev, "mtu", "1500", "up")
        # Only while both are up does this make the far end something that XDP can redirect to.
        self.feature(self.gw, gw, "gro", gro)

    def feature(self, ns, dev, name, on):
        sh("ip", "netns", "exec", ns, "ethtool", "-K", dev, name, "on" if on else "off", check=False)

    def need_napi(self, lab):
        """Without GRO a veth has no NAPI to redirect into; a program that lets all pass gives one."""
        for dev in () if self.gro else ("tun0", "out0"):
            sh("ip", "-n", self.gw, "link", "set", "dev", dev, "xdpdrv", "object",
               f"{lab.build}/tests/bench/inject.bpf.o", "program", "pass")

    def at(self, ns, *words, check=True):
        return sh("nsenter", f"--net=/run/netns/{ns}", *words, check=check)

    def spawn(self, log, *words, env=None):
        out = open(log, "w")
        child = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                 env=dict(os.environ, **(env or {})))
        self.children.append(child)
        return child

    def wait_for(self, what, child, seconds=10):
        end = time.time() + seconds
        while not what():
            if time.time() > end or child.poll() is not None:
                raise BenchError(f"{child.args[-1]} did not come up")
            time.sleep(0.05)

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for ns in (self.far, self.gw):
            sh("ip", "netns", "del", ns, check=False)


class Gateway:
    """A gateway under test: name, process, and how the generator reaches it."""

    way_up, way_down = "up", "down"
    gro = False
    public_key = None
    pid = 0

    def __init__(self, lab, offload=True):
        self.lab, self.offload = lab, offload
        self.world = World(self.short, offload, self.gro and offload)
        self.dir = os.path.join(lab.dir, self.short)
        os.makedirs(self.dir, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.world.close()
            raise

    def own_mounts(self, command):
        """The program in the gateway's namespace, with /run, /sys and bpffs of its own."""
        return ("nsenter", f"--net=/run/netns/{self.world.gw}", "unshare", "--mount",
                "--propagation", "private", "sh", "-c",
                "mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys && "
                "mount -t bpf bpf /sys/fs/bpf && exec " + command)

    def run(self, way, clients, size, burst, count):
        words = ["taskset", "-c", "0", f"{self.lab.build}/tests/bench/generator", "run", "-d", way,
                 "-n", str(clients), "-b", str(size), "-u", str(burst), "-c", str(count)]
        if self.public_key:
            words += ["-k", self.public_key]
        if self.pid:
            words += ["-p", str(self.pid)]
        return json.loads(sh("timeout", "120", "nsenter", f"--net=/run/netns/{self.world.far}",
                             *words))

    def close(self):
        self.world.close()


class Sallyport(Gateway):
    name, short = "sallyport", "s"
    extra = limit = rule = ""
    egress, ports, flows_max = "198.18.1.1", "1024-32767", 65536

    def start(self):
        with open(os.open(f"{self.dir}/key", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(self.lab.private_key + "\n")
        self.public_key = self.lab.public_key
        self.conf = f"{self.dir}/gw.conf"
        peers = ",\n".join(
            f'{{ name = "c{i}"; user = "u"; public_key = "{key}"; addresses = ["{inner(i)}"]; }}'
            for i, key in enumerate(self.lab.client_keys))
        with open(self.conf, "w") as f:
            f.write(f'''gateway = {{ control = "{self.dir}/sock"; state_dir = "{self.dir}"; {self.extra} }};
interfaces = ( {{ name = "tun0"; roles = ["tunnel"]; }}, {{ name = "out0"; roles = ["egress"]; }} );
wireguard = ( {{ name = "wg0"; port = 51820; private_key_file = "{self.dir}/key";
  addresses = ["10.64.0.1/10"]; }} );
users = ( {{ name = "u"; flows_max = {self.flows_max}; {self.limit} }} );
peers = ( {peers} );
egress = ( {{ name = "main"; interface = "out0"; addresses = ["{self.egress}"]; ports = "{self.ports}"; }} );
policy = ( {{ name = "out"; from = "any"; to = "any"; action = "allow"; egress = "main"; {self.rule} }} );
''')
        child = self.world.spawn(f"{self.dir}/log", *self.own_mounts(
            f"{self.lab.build}/sallyportd -c {self.conf}"))
        self.world.wait_for(self.answers, child)
        self.pid = child.pid

    def cli(self, *words, check=True):
        return sh(f"{self.lab.build}/sallyport", "-c", self.conf, "-s", f"{self.dir}/sock", *words,
                  check=check)

    def answers(self):
        return "transmit" in self.cli("status", "-j", check=False)


class WireguardGo(Gateway):
    name, short = "wireguard-go, bookworm", "w"
    gro = True
    program = "wireguard-go"

    def start(self):
        if not shutil.which(self.program):
            raise BenchError(f"{self.program} is not here")
        self.public_key = self.lab.public_key
        conf = f"{self.dir}/wg.conf"
        with open(os.open(conf, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(f"[Interface]\nPrivateKey = {self.lab.private_key}\nListenPort = 51820\n")
            for i, key in enumerate(self.lab.client_keys):
                f.write(f"[Peer]\nPublicKey = {key}\nAllowedIPs = {inner(i)}/32\n")
        child = self.world.spawn(
            f"{self.dir}/log", *self.own_mounts(f"taskset -c 1 {self.program} -f wg0"),
            env={"WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1", "GOMAXPROCS": "1",
                 "LOG_LEVEL": "error"})
        enter = ("nsenter", f"--net=/run/netns/{self.world.gw}", f"--mount=/proc/{child.pid}/ns/mnt")
        ours = os.readlink("/proc/self/ns/mnt")
        self.world.wait_for(lambda: os.readlink(f"/proc/{child.pid}/ns/mnt") != ours and
                            "wg0.sock" in sh(*enter, "ls", "/run/wireguard", check=False), child)
        sh(*enter, "wg", "setconf", "wg0", conf)
        sh("ip", "-n", self.world.gw, "addr", "add", "10.64.0.1/10", "dev", "wg0")
        sh("ip", "-n", self.world.gw, "link", "set", "wg0", "mtu", "1420", "up")
        self.world.at(self.world.gw, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                      "net.ipv4.conf.wg0.rp_filter=0")
        self.world.need_napi(self.lab)
        self.pid = child.pid


def inner(i):
    n = 0x0A400002 + i
    return ".".join(str(n >> s & 255) for s in (24, 16, 8, 0))


def newest_wireguard_go(directory):
    """A class for Debian's newest wireguard-go, or why there is none. Nothing is installed."""
    os.makedirs(f"{directory}/lists/partial", exist_ok=True)
    os.makedirs(f"{directory}/cache/archives/partial", exist_ok=True)
    mirror = next((m for m in sh("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
                   if m.rstrip("/").endswith("/debian")), None)
    if not mirror:
        raise BenchError("no Debian mirror is configured")
    with open(f"{directory}/sources.list", "w") as f:
        f.write(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} sid main\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={directory}/sources.list",
           "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={directory}/lists",
           "-o", f"Dir::Cache={directory}/cache", "-o", "APT::Sandbox::User=root"]
    program = f"{directory}/usr/bin/wireguard-go"
    if not os.path.exists(program):
        sh(*apt, "update")
        sh(*apt, "download", "wireguard-go", cwd=directory)
        deb = sorted(d for d in os.listdir(directory) if d.endswith(".deb"))[-1]
        sh("dpkg", "-x", f"{directory}/{deb}", directory)
    return type("NewestWireguardGo", (WireguardGo,), {
        "name": "wireguard-go, newest", "short": "n", "program": program})


class Raw(Gateway):
    """The limit: an AF_XDP loop without a gateway in it."""

    name, short = "AF_XDP loop", "r"

    def start(self):
        child = self.world.spawn(
            f"{self.dir}/log", *self.own_mounts(
                f"taskset -c 1 {self.lab.build}/tests/bench/raw tun0 out0"))
        self.world.wait_for(lambda: "ready" in open(f"{self.dir}/log").read(), child)
        self.pid = child.pid


class Kernel(Gateway):
    """Plain kernel forwarding with nftables NAT, on threaded NAPI pinned where gateways run."""

    name, short = "kernel + nft", "k"
    gro = True

    def start(self):
        gw = self.world.gw
        self.world.at(gw, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.world.at(gw, "nft", "add table ip n; add chain ip n post "
                      "{ type nat hook postrouting priority 100; }; "
                      "add rule ip n post oifname out0 masquerade")
        self.world.need_napi(self.lab)
        before = napi_threads("tun0")
        sh("ip", "netns", "exec", gw, "sh", "-c", "echo 1 >/sys/class/net/tun0/threaded")
        ours = napi_threads("tun0") - before
        if len(ours) != 1:
            raise BenchError("no threaded NAPI for veth")
        self.pid = int(ours.pop())
        sh("taskset", "-pc", "1", str(self.pid))


def napi_threads(device):
    return set(sh("pgrep", "-f", rf"^\[?napi/{device}-", check=False).split())
