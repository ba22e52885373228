// Package packaging tests what the scripts beside it make.
package packaging

import (
	"bytes"
	"debug/elf"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// program builds the program once, as the packages do.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "viadukt-packaging-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "viadukt")
	out, err := exec.Command("./build", "amd64", name).CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return name, err
})

func TestMain(m *testing.M) {
	status := m.Run()
	if name, err := program(); err == nil && !testing.Short() {
		os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(status)
}

// built is the program; it takes its time.
func built(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return output(t, exec.Command(name, args...))
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out.String(), errs.String())
	}
	return out.String()
}

func needs(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("there is no %s", tool)
	}
}

func TestTheProgramIsStatic(t *testing.T) {
	f, err := elf.Open(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it needs a loader: %v", p.Type)
		}
	}
}

func TestDebianPackage(t *testing.T) {
	needs(t, "dpkg-deb")
	dir := t.TempDir()
	cmd := exec.Command("deb/build", "amd64", dir)
	cmd.Env = append(os.Environ(), "VIADUKT_BINARY="+built(t))
	deb := strings.TrimSpace(output(t, cmd))
	if filepath.Base(deb) != "viadukt_"+node.Version+"_amd64.deb" {
		t.Errorf("it is called %s", deb)
	}
	if got := run(t, "dpkg-deb", "-f", deb, "Package", "Version", "Architecture"); got != "Package: viadukt\nVersion: "+node.Version+"\nArchitecture: amd64\n" {
		t.Error(got)
	}
	list := run(t, "dpkg-deb", "-c", deb)
	for _, want := range []string{
		`-rwxr-xr-x root/root +\d+ .* \./usr/bin/viadukt\n`,
		`drwxr-x--- root/root +\d+ .* \./etc/viadukt/keys/\n`,
		`-rw-r----- root/root +\d+ .* \./etc/viadukt/viadukt\.yaml\n`,
		`-rw-r--r-- root/root +\d+ .* \./lib/systemd/system/viadukt\.service\n`,
		`-rw-r--r-- root/root +\d+ .* \./lib/systemd/system/viadukt-backup\.timer\n`,
		`-rw-r--r-- root/root +\d+ .* \./usr/share/doc/viadukt/operations\.md\n`,
		`-rw-r--r-- root/root +\d+ .* \./usr/share/doc/viadukt/copyright\n`,
	} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("%q is not in it:\n%s", want, list)
		}
	}
	root := filepath.Join(dir, "root")
	run(t, "dpkg-deb", "-R", deb, root)
	if b, err := os.ReadFile(filepath.Join(root, "DEBIAN", "conffiles")); err != nil || string(b) != "/etc/viadukt/viadukt.yaml\n" {
		t.Errorf("conffiles %q, %v", b, err)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		run(t, "sh", "-n", filepath.Join(root, "DEBIAN", script))
	}
	sums := exec.Command("md5sum", "--quiet", "-c", "DEBIAN/md5sums")
	sums.Dir = root
	output(t, sums)
	if got := run(t, filepath.Join(root, "usr", "bin", "viadukt"), "version"); !strings.Contains(got, node.Version) {
		t.Errorf("the program says %q", got)
	}
}

// TestTheFirstLoginNeedsNoHandOnFiles runs what the package does after it is unpacked, in a folder in place of the system:
// twice, as an upgrade does.
func TestTheFirstLoginNeedsNoHandOnFiles(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"etc/viadukt/keys", "etc/viadukt/trust", "bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("deb/postinst")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile("deb/viadukt.yaml")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/viadukt", root+"/etc/viadukt", "/var/lib/viadukt", root+"/var/lib/viadukt", "/var/backups", root+"/var/backups", "/run/systemd/system", root+"/none")
	file := filepath.Join(root, "etc", "viadukt", "viadukt.yaml")
	if err := os.WriteFile(file, []byte(here.Replace(string(settings))), 0o640); err != nil {
		t.Fatal(err)
	}
	// Users and owners are the system's.
	for name, text := range map[string]string{"getent": "true", "chown": "true", "install": `shift 7; mkdir -p "$@"`} {
		if err := os.WriteFile(filepath.Join(root, "bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	postinst := filepath.Join(root, "postinst")
	if err := os.WriteFile(postinst, []byte(here.Replace(string(script))), 0o755); err != nil {
		t.Fatal(err)
	}
	after := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(postinst, append([]string{"configure"}, args...)...)
		cmd.Env = []string{"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH")}
		return output(t, cmd)
	}
	said := after()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	first := string(c.Console.FirstPassword)
	info, err := os.Stat(first)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the first password: %v %v", info, err)
	}
	b, err := os.ReadFile(first)
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{6}(-[0-9a-f]{6}){3}\n$`).Match(b) {
		t.Errorf("the first password is %q, %v", b, err)
	}
	for _, want := range []string{"user admin", "sudo cat " + first, "http://" + string(c.API.Listen) + "/console/"} {
		if !strings.Contains(said, want) {
			t.Errorf("nobody is told %q:\n%s", want, said)
		}
	}
	seen := map[string]bool{}
	for _, k := range c.API.Tokens {
		secret, err := k.Secret.Read()
		if err != nil || len(secret) < 40 || seen[secret] {
			t.Errorf("token %s: %d characters, %v", k.Name, len(secret), err)
		}
		seen[secret] = true
	}
	if !slices.ContainsFunc(c.API.Tokens, func(k config.Token) bool { return slices.Equal(k.Scopes, []string{"admin"}) }) {
		t.Error("nobody may administer a running node from the command line")
	}
	if err := os.Remove(first); err != nil { // as the node does
		t.Fatal(err)
	}
	if said := after("0.0.9"); said != "" {
		t.Errorf("an upgrade says %q", said)
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("an upgrade makes a password: %v", err)
	}
}

func TestThePackagesConfigurationHolds(t *testing.T) {
	c, err := config.Load("deb/viadukt.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{"data": string(c.Node.DataDir), "first password": string(c.Console.FirstPassword), "trusted lists": string(c.TrustLists.Dir)} {
		if !strings.HasPrefix(path, "/var/lib/viadukt/") {
			t.Errorf("%s is written to %s, and the service may write below /var/lib/viadukt alone", what, path)
		}
	}
	if !slices.ContainsFunc(c.API.Tokens, func(t config.Token) bool { return slices.Equal(t.Scopes, []string{"backup"}) }) {
		t.Error("there is no token for backups")
	}
}

func TestUnitsHoldAndAreHardened(t *testing.T) {
	needs(t, "systemd-analyze")
	dir := t.TempDir()
	for _, name := range []string{"viadukt.service", "viadukt-backup.service", "viadukt-backup.timer"} {
		b, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("/usr/bin/viadukt "), []byte("/bin/true ")) // it need not be installed here
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"viadukt.service", "viadukt-backup.service", "viadukt-backup.timer"} {
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(dir, name)).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("viadukt")) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	for _, name := range []string{"viadukt.service", "viadukt-backup.service"} {
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15", filepath.Join(dir, name)).CombinedOutput()
		if bytes.Contains(out, []byte("unrecognized option")) {
			t.Skip("this systemd judges running units only")
		}
		if err != nil {
			t.Errorf("%s is exposed above 1.5: %v\n%s", name, err, out)
		}
	}
}

func TestTheContainersRootRunsByItself(t *testing.T) {
	name := built(t)
	dir := filepath.Join(t.TempDir(), "root")
	cmd := exec.Command("container/root", dir, "amd64")
	cmd.Env = append(os.Environ(), "VIADUKT_BINARY="+name)
	output(t, cmd)
	file, err := os.ReadFile("container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nFROM scratch\n", "\nUSER 65532:65532\n", "\nHEALTHCHECK ", `ENTRYPOINT ["/usr/bin/viadukt"]`} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("the Containerfile lacks %q", want)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root changes its root folder")
	}
	for d := dir; d != filepath.Dir(os.TempDir()) && len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	inside := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/usr/bin/viadukt", args...)
		cmd.Dir, cmd.Env = "/var/lib/viadukt", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return cmd
	}
	if got := output(t, inside("version")); !strings.Contains(got, node.Version) {
		t.Error(got)
	}
	// Ports of its own: a node of somebody else may answer on those that are the default.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	output(t, inside("init", "/var/lib/viadukt/try", "--country", "EE", "--port", strconv.Itoa(min(port, 65000))))
	out, err := inside("health", "--config", "/var/lib/viadukt/try/viadukt.yaml").CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("no node answers")) {
		t.Errorf("the health of a node that does not run: %v, %s", err, out)
	}
}
