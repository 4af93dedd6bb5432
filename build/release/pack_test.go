package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestArchivesDependOnFilesOnly(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, b := file{name: "a", data: []byte("1")}, file{name: "bin/b", data: []byte("2"), executable: true}
	first, err := pack("top", []file{a, b}, at)
	second, err2 := pack("top", []file{b, a}, at.In(time.FixedZone("elsewhere", 3600)))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same files make other bytes")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if unzipped.Name != "" || !unzipped.ModTime.IsZero() {
		t.Errorf("gzip has a name %q or time %s", unzipped.Name, unzipped.ModTime)
	}
	var got []string
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(at) {
			t.Errorf("%s belongs to %d:%d and is of %s", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name)
	}
	if want := "-rw-r--r-- top/a -rwxr-xr-x top/bin/b"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestADifferenceIsFound(t *testing.T) {
	t.Parallel()
	write := func(name, text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	first := write("a.tar.gz", "same")
	if err := compare(first, write("a.tar.gz", "same")); err != nil {
		t.Error(err)
	}
	if err := compare(first, write("a.tar.gz", "Same")); err == nil || !strings.Contains(err.Error(), "a.tar.gz") {
		t.Errorf("other bytes: %v", err)
	}
	if err := compare(first, write("b.tar.gz", "same")); err == nil {
		t.Error("a missing file is not found")
	}
	if err := compare(first, t.TempDir()); err == nil {
		t.Error("nothing was compared")
	}
}

func TestATagHasTheVersionOfTheChart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	chart := filepath.Join(root, "deploy/helm/flagside/Chart.yaml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(chart), 0o755), os.WriteFile(chart, []byte("version: 0.1.0\nappVersion: 0.1.0\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for version, good := range map[string]bool{"0.1.0": true, "0.1.1": false, "0.1": false, "0.1.0-rc.1": false, "0.1.0-dev+abc": true} {
		if err := (stamp{version: version}).verify(root); (err == nil) != good {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	got, err := parsePlatforms("linux/amd64, darwin/arm64")
	if err != nil || len(got) != 2 || got[1] != (platform{"darwin", "arm64"}) {
		t.Errorf("got %v: %v", got, err)
	}
	for _, wrong := range []string{"", "linux", "linux/", "/amd64", "linux/amd64,"} {
		if _, err := parsePlatforms(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestFilesGoToTheirPackage(t *testing.T) {
	t.Parallel()
	cli, sidecar := debianPackages()[0], debianPackages()[1]
	for name, want := range map[string][2]string{
		"bin/publisher":                      {"/usr/bin/publisher", ""},
		"bin/sidecar":                        {"", "/usr/bin/sidecar"},
		"man/man1/flagside-flag.1":           {"/usr/share/man/man1/flagside-flag.1.gz", ""},
		"man/man8/sidecar.8":                 {"", "/usr/share/man/man8/sidecar.8.gz"},
		"completion/bash/flagside.bash":      {"/usr/share/bash-completion/completions/flagside", ""},
		"completion/zsh/_sidecar":            {"", "/usr/share/zsh/vendor-completions/_sidecar"},
		"completion/fish/publisher.fish":     {"/usr/share/fish/vendor_completions.d/publisher.fish", ""},
		"systemd/publisher.conf":             {"/etc/flagside/publisher.conf", ""},
		"systemd/flagside-sidecar@.service":  {"", "/usr/lib/systemd/system/flagside-sidecar@.service"},
		"systemd/flagside-publisher.service": {"/usr/lib/systemd/system/flagside-publisher.service", ""},
		"systemd/sysusers.conf":              {"/usr/lib/sysusers.d/flagside-publisher.conf", "/usr/lib/sysusers.d/flagside-sidecar.conf"},
		"LICENSE":                            {"/usr/share/doc/flagside/copyright", "/usr/share/doc/flagside-sidecar/copyright"},
		"README.md":                          {"", ""},
		"man/man1/flagsidecar.1":             {"", ""},
		"docs/cli.md":                        {"", ""},
	} {
		if got := [2]string{cli.destination(name), sidecar.destination(name)}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
