package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// released returns the directory of a release for this platform, which make release-check builds.
func released(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FLAGSIDE_RELEASE")
	if dir == "" {
		t.Skip("FLAGSIDE_RELEASE names no release: make release-check builds one and tries it")
	}
	return dir
}

// only returns the one file of a release that matches.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(released(t), pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files match %s: %v", len(found), pattern, err)
	}
	return found[0]
}

// unpack unpacks the archive for this platform and returns its top folder.
func unpack(t *testing.T) string {
	t.Helper()
	packed, err := os.ReadFile(only(t, "flagside_*_"+here().String()+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return top
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if err := writeStaged(filepath.Join(top, name), file{data: data, executable: h.Mode&0o100 != 0}); err != nil {
			t.Fatal(err)
		}
	}
}

// alone returns a command that has nothing of this machine but its kernel: for root, the directory is all files that there are.
func alone(ctx context.Context, root, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(root, program), args...)
	command.Env = []string{}
	if runtime.GOOS == "linux" && os.Getuid() == 0 {
		command.Path, command.Dir = program, "/"
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	return command
}

func succeed(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, printed)
	}
	return string(printed)
}

func TestChecksums(t *testing.T) {
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = released(t)
	succeed(t, check)
	text, err := os.ReadFile(filepath.Join(released(t), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := list(released(t), "")
	if err != nil || strings.Count(string(text), "\n") != len(files)-1 {
		t.Errorf("%d files have %d checksums: %v", len(files)-1, strings.Count(string(text), "\n"), err)
	}
}

// The archive runs in a directory that has nothing else: no Go, no libraries, no shell.
func TestArchiveRunsAlone(t *testing.T) {
	root := unpack(t)
	for _, program := range programs() {
		told := succeed(t, alone(t.Context(), root, "/bin/"+program, "version"))
		version, rest, _ := strings.Cut(told, "\n")
		if !strings.Contains(only(t, "flagside_*.tar.gz"), "_"+version+"_") || !strings.HasPrefix(rest, "commit ") || !strings.Contains(rest, runtime.GOOS+"/"+runtime.GOARCH) {
			t.Errorf("%s says of itself: %s", program, told)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	addr := freeAddress(t)
	start(t, &log, alone(context.Background(), root, "/bin/flagside", "dev", "examples/flags.json", "--ofrep-addr", addr, "--flagd-addr=off",
		"--flagd-sync-addr=off", "--management-addr", freeAddress(t), "--admin-addr", freeAddress(t), "--nats-addr", freeAddress(t)))
	await(t, "an answer", &log, func() bool {
		body := strings.NewReader(`{"context":{"targetingKey":"u4","country":"DE"}}`)
		response, err := http.Post("http://"+addr+"/ofrep/v1/evaluate/flags/new-checkout", "application/json", body)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return err == nil && strings.Contains(string(answer), `"variant":"on"`)
	})
}

func TestArchiveHasWhatGoesWithIt(t *testing.T) {
	root := unpack(t)
	for name, part := range map[string]string{
		"LICENSE": "Apache License", "CHANGELOG.md": "# Changelog", "README.md": "# flagside", "docs/install.md": "#",
		"THIRD-PARTY-LICENSES.txt": "\ngithub.com/nats-io/nats-server/v2 v", "man/man1/flagside.1": ".TH FLAGSIDE 1", "man/man8/publisher-serve.8": ".TH PUBLISHER-SERVE 8",
		"man/man8/sidecar.8": ".TH SIDECAR 8", "completion/bash/sidecar.bash": "complete -F", "completion/zsh/_flagside": "#compdef flagside",
		"completion/fish/publisher.fish": "complete -c publisher",
	} {
		if text, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s does not have %q: %v", name, part, err)
		}
	}
	for shell, pattern := range map[string]string{"bash": "completion/bash/*", "zsh": "completion/zsh/*", "fish": "completion/fish/*"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not installed: its scripts are not read by it", shell)
			continue
		}
		scripts, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(scripts) != len(programs()) {
			t.Errorf("%s: %d scripts: %v", shell, len(scripts), err)
		}
		for _, script := range scripts {
			succeed(t, exec.CommandContext(t.Context(), path, "-n", script))
		}
	}
}

// A bill of materials has every module that the program says it was linked from, each with a licence.
func TestBillsAreComplete(t *testing.T) {
	root := unpack(t)
	for _, program := range programs() {
		data, err := os.ReadFile(only(t, program+"_*_"+here().String()+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bom cyclonedx.BOM
		if err := cyclonedx.NewBOMDecoder(bytes.NewReader(data), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
			t.Fatal(err)
		}
		listed := make(map[string]string)
		for _, c := range *bom.Components {
			listed[c.Name] = c.Version
			if c.Licenses == nil || len(*c.Licenses) == 0 {
				t.Errorf("%s: %s has no licence", program, c.Name)
			}
		}
		info, err := buildinfo.ReadFile(filepath.Join(root, "bin", program))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range info.Deps {
			if listed[m.Path] != m.Version {
				t.Errorf("%s links %s %s, and its bill has %q", program, m.Path, m.Version, listed[m.Path])
			}
		}
		if len(listed) != len(info.Deps)+1 || "go"+listed["std"] != info.GoVersion {
			t.Errorf("%s: the bill has %d modules, the program %d; std is %s", program, len(listed), len(info.Deps), listed["std"])
		}
	}
}

// installed installs both packages into an empty root directory.
func installed(t *testing.T) string {
	t.Helper()
	dpkg, err := exec.LookPath("dpkg")
	if err != nil || os.Getuid() != 0 {
		t.Skip("packages are installed by dpkg and as root")
	}
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), dpkg, "--root="+root, "--force-script-chrootless", "--log="+os.DevNull, "--install",
		only(t, "flagside_*.deb"), only(t, "flagside-sidecar_*.deb"))
	succeed(t, install)
	return root
}

// What the packages install runs alone: a publisher becomes ready, and a sidecar that trusts it starts.
func TestPackagesInstallAndRun(t *testing.T) {
	root := installed(t)
	if mode, err := os.Stat(filepath.Join(root, "etc/flagside/publisher")); err != nil || mode.Mode().Perm() != 0o750 {
		t.Errorf("the directory for secrets: %v %v", mode, err)
	}
	conffiles, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/info/flagside.conffiles"))
	if err != nil || strings.TrimSpace(string(conffiles)) != "/etc/flagside/publisher.conf" {
		t.Errorf("files of the operator are %q: %v", conffiles, err)
	}
	var log, other bytes.Buffer
	admin, nats, management := freeAddress(t), freeAddress(t), freeAddress(t)
	data := options(t, root, "etc/flagside/publisher.conf")["FLAGSIDE_DATA_DIR"]
	start(t, &log, alone(context.Background(), root, "/usr/bin/publisher", "serve", "--data-dir", data, "--admin-addr", admin, "--nats-addr", nats))
	await(t, "a ready publisher", &log, func() bool {
		return alone(t.Context(), root, "/usr/bin/publisher", "readyz", "--admin-addr", admin).Run() == nil
	})
	succeed(t, alone(t.Context(), root, "/usr/bin/flagside", "environment", "create", "trial", "--admin", "http://"+admin, "--token-file", data+"/admin-token", "--reason", "test"))
	start(t, &other, alone(context.Background(), root, "/usr/bin/sidecar", "--environment", "trial", "--nats", "nats://"+nats, "--trust-file", data+"/trust",
		"--ofrep-addr", freeAddress(t), "--management-addr", management, "--flagd-addr=off", "--flagd-sync-addr=off", "--ready-when=live"))
	await(t, "a ready sidecar", &other, func() bool {
		return alone(t.Context(), root, "/usr/bin/sidecar", "readyz", "--management-addr", management).Run() == nil
	})
	for _, name := range []string{"flagside", "flagside-sidecar"} {
		remove := exec.CommandContext(t.Context(), "dpkg", "--root="+root, "--force-script-chrootless", "--log="+os.DevNull, "--purge", name)
		succeed(t, remove)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/bin/publisher")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the publisher is there after it was removed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, data, "trust")); err != nil {
		t.Errorf("removing the package removed data: %v", err)
	}
}

// options returns what an environment file of a unit sets.
func options(t *testing.T, root, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			set[name] = value
		}
	}
	return set
}

// maxExposure is the score of systemd-analyze security that no unit may exceed; 10 is no protection at all. docs/install.md states it.
const maxExposure = 1.1

func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: units are not verified")
	}
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("%d units: %v", len(units), err)
	}
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, strings.ReplaceAll(filepath.Base(unit), "@.", "@trial."))
		// A program that this machine has stands for those of flagside, which need not be installed.
		text = regexp.MustCompile(`/usr/bin/(publisher|sidecar)`).ReplaceAll(text, []byte("/bin/true"))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if printed := succeed(t, exec.CommandContext(t.Context(), analyze, "verify", "--man=no", name)); printed != "" {
			t.Errorf("%s: %s", unit, printed)
		}
		printed := succeed(t, exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", name))
		score := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(printed)
		if score == nil {
			t.Fatalf("%s: no score: %s", unit, printed)
		}
		exposure, err := strconv.ParseFloat(score[1], 64)
		if err != nil || exposure > maxExposure {
			t.Errorf("%s: exposure is %s, want %.1f at most: %s", unit, score[1], maxExposure, printed)
		}
		t.Logf("%s: exposure %s", filepath.Base(unit), score[1])
	}
	if text, err := os.ReadFile("../../docs/install.md"); err != nil || !strings.Contains(string(text), fmt.Sprintf("%.1f", maxExposure)) {
		t.Errorf("docs/install.md does not state the exposure of %.1f: %v", maxExposure, err)
	}
}

// The units of one environment and of a template differ in names only.
func TestUnitsOfTheSidecarAreAlike(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile("../../deploy/systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ = bytes.Cut(text, []byte("EnvironmentFile="))
		_, text, _ = bytes.Cut(text, []byte("\n"))
		return string(text)
	}
	one, each := read("flagside-sidecar.service"), read("flagside-sidecar@.service")
	if strings.ReplaceAll(each, "flagside-sidecar-%i", "flagside-sidecar") != one {
		t.Error("the template protects in another way than the unit")
	}
}

func start(t *testing.T, log *bytes.Buffer, command *exec.Cmd) {
	t.Helper()
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await asks until the answer is yes, for a minute.
func await(t *testing.T, what string, log *bytes.Buffer, yes func() bool) {
	t.Helper()
	for range 600 {
		if yes() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s did not happen: %s", what, log)
}
