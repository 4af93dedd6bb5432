package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"
)

// debianPackage is one of the packages: what serves applications is apart from what holds the keys.
type debianPackage struct {
	name, description string
	programs          []string
	units             []string // services that are restarted and removed with the package
	service           string   // the program that they run, after which files of systemd are named
}

func debianPackages() []debianPackage {
	return []debianPackage{
		{
			name:        "flagside",
			description: "Feature flags: publisher and command line\nThe publisher keeps the change logs of environments and decides on changes. flagside is what people type.",
			programs:    []string{"flagside", "publisher"}, service: "publisher",
			units: []string{"flagside-publisher.service"},
		},
		{
			name:        "flagside-sidecar",
			description: "Feature flags: answered beside the application\nThe sidecar answers evaluations over OFREP and flagd's protocols, from memory.",
			programs:    []string{"sidecar"}, service: "sidecar",
			units: []string{"flagside-sidecar.service", "flagside-sidecar@.service"},
		},
	}
}

// writePackages writes the packages of Debian for a platform, of the files that its archive has.
func (b *build) writePackages(p platform, files []file) error {
	for _, d := range debianPackages() {
		stage := filepath.Join(b.work, p.String()+"-"+d.name)
		info, err := b.info(d, p, files, stage)
		if err != nil {
			return fmt.Errorf("package %s: %w", d.name, err)
		}
		var packed bytes.Buffer
		if err := deb.Default.Package(info, &packed); err != nil {
			return fmt.Errorf("package %s: %w", d.name, err)
		}
		if err := b.write(deb.Default.ConventionalFileName(info), packed.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// info describes a package. Its files are written to a stage, from where they are packed.
func (b *build) info(d debianPackage, p platform, files []file, stage string) (*nfpm.Info, error) {
	var contents nfpmfiles.Contents
	for _, f := range d.installed(files) {
		staged := filepath.Join(stage, f.name)
		if err := writeStaged(staged, f); err != nil {
			return nil, err
		}
		kind := nfpmfiles.TypeFile
		if strings.HasPrefix(f.name, "/etc/") {
			kind = nfpmfiles.TypeConfig
		}
		contents = append(contents, &nfpmfiles.Content{
			Source: staged, Destination: f.name, Type: kind, FileInfo: &nfpmfiles.ContentFileInfo{Mode: f.mode(), MTime: b.stamp.time},
		})
	}
	contents = append(contents, &nfpmfiles.Content{
		Destination: "/etc/flagside/" + d.service, Type: nfpmfiles.TypeDir, FileInfo: &nfpmfiles.ContentFileInfo{Mode: 0o750, MTime: b.stamp.time},
	})
	scripts := nfpm.Scripts{PostInstall: filepath.Join(stage, "postinst"), PreRemove: filepath.Join(stage, "prerm")}
	err := errors.Join(
		writeStaged(scripts.PostInstall, file{data: []byte(d.postinst()), executable: true}),
		writeStaged(scripts.PreRemove, file{data: []byte(d.prerm()), executable: true}),
	)
	return nfpm.WithDefaults(&nfpm.Info{
		Name: d.name, Arch: p.arch, Platform: "linux", Version: b.stamp.version, Section: "net", Priority: "optional", Maintainer: "flagside",
		Description: d.description, Homepage: "https://github.com/flagside/flagside", License: "Apache-2.0", MTime: b.stamp.time, DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			Contents: contents, Scripts: scripts, Recommends: []string{"ca-certificates"}, Deb: nfpm.Deb{Compression: "gzip"},
		},
	}), err
}

// installed returns the files of a package with the paths that they are installed at.
func (d debianPackage) installed(files []file) []file {
	var all []file
	for _, f := range files {
		if to := d.destination(f.name); to != "" {
			if strings.HasSuffix(to, ".gz") {
				f.data = compressed(f.data)
			}
			f.name = to
			all = append(all, f)
		}
	}
	return all
}

// destination returns where a file of the archive is installed, empty if it is not of this package.
func (d debianPackage) destination(name string) string {
	dir, base := path.Split(name)
	doc := "/usr/share/doc/" + d.name + "/"
	switch {
	case base == "LICENSE":
		return doc + "copyright"
	case base == "CHANGELOG.md" || base == "THIRD-PARTY-LICENSES.txt":
		return doc + base + ".gz"
	case dir == "systemd/":
		return d.systemd(base)
	case !d.has(base):
		return ""
	case dir == "bin/":
		return "/usr/" + name
	case strings.HasPrefix(dir, "man/"):
		return "/usr/share/" + name + ".gz"
	case dir == "completion/bash/":
		return "/usr/share/bash-completion/completions/" + strings.TrimSuffix(base, ".bash")
	case dir == "completion/zsh/":
		return "/usr/share/zsh/vendor-completions/" + base
	case dir == "completion/fish/":
		return "/usr/share/fish/vendor_completions.d/" + base
	}
	return ""
}

// systemd returns where a file for systemd is installed.
func (d debianPackage) systemd(base string) string {
	switch {
	case base == "sysusers.conf":
		return "/usr/lib/sysusers.d/flagside-" + d.service + ".conf"
	case base == d.service+".conf":
		return "/etc/flagside/" + base
	case strings.HasPrefix(base, "flagside-"+d.service) && strings.HasSuffix(base, ".service"):
		return "/usr/lib/systemd/system/" + base
	}
	return ""
}

// has reports whether a file belongs to a program of the package, by its name.
func (d debianPackage) has(base string) bool {
	for _, program := range d.programs {
		rest, found := strings.CutPrefix(strings.TrimPrefix(base, "_"), program)
		if found && (rest == "" || rest[0] == '.' || rest[0] == '-') {
			return true
		}
	}
	return false
}

// postinst makes the group and restarts what was running. It starts nothing that was not: an operator sets options first.
func (d debianPackage) postinst() string {
	return fmt.Sprintf(`#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers --root="${DPKG_ROOT:-/}" flagside-%[1]s.conf
fi
[ -z "$DPKG_ROOT" ] || exit 0
if getent group flagside >/dev/null; then
  chgrp flagside /etc/flagside/%[1]s
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  [ -z "$2" ] || systemctl try-restart %[2]s
fi
`, d.service, d.running())
}

// prerm ends what is removed. Data and options stay.
func (d debianPackage) prerm() string {
	return fmt.Sprintf(`#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
  systemctl stop %s
  systemctl disable %s || true
fi
`, d.running(), strings.Join(d.units, " "))
}

// running returns the units as systemctl names those that run, templates by a pattern.
func (d debianPackage) running() string {
	return "'" + strings.ReplaceAll(strings.Join(d.units, "' '"), "@.", "@*.") + "'"
}

func writeStaged(name string, f file) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // what is released is for everybody
		return err
	}
	return os.WriteFile(name, f.data, f.mode()) //nolint:gosec // the names are those of the source and of archives that it makes
}

// compressed returns data as gzip without a name or time.
func compressed(data []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // fails for other levels
	_, _ = w.Write(data)                                    // memory takes everything
	_ = w.Close()
	return out.Bytes()
}
