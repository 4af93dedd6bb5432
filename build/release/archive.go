package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is a file of a release, by its path from the top of an archive.
type file struct {
	name       string
	data       []byte
	executable bool
}

func (f file) mode() fs.FileMode {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// contents returns the files of the archive for a platform.
func (b *build) contents(p platform, linked []module) ([]file, error) {
	files := slices.Clone(b.generated)
	for _, program := range programs() {
		data, err := os.ReadFile(filepath.Join(b.bin(p), program))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "bin/" + program, data: data, executable: true})
	}
	for _, pattern := range []string{
		"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/adr/*.md", "docs/pictures/*", "api/*.json",
		"deploy/compose.yaml", "examples/flags.json",
	} {
		found, err := b.copied(pattern, "")
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if p.os == "linux" {
		units, err := b.copied("deploy/systemd/*", "deploy/")
		if err != nil {
			return nil, err
		}
		files = append(files, units...)
	}
	return append(files, file{name: "THIRD-PARTY-LICENSES.txt", data: thirdParty(linked)}), nil
}

// copied returns the files of the source that match a pattern, without a prefix of their path.
func (b *build) copied(pattern, prefix string) ([]file, error) {
	paths, err := filepath.Glob(filepath.Join(b.root, pattern))
	if err != nil || len(paths) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no file of the source matches %s", pattern))
	}
	var files []file
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(b.root, path)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: strings.TrimPrefix(name, prefix), data: data})
	}
	return files, nil
}

// writeArchive writes files as an archive for a platform.
func (b *build) writeArchive(p platform, files []file) error {
	top := fmt.Sprintf("flagside_%s_%s", b.stamp.version, p)
	packed, err := pack(top, files, b.stamp.time)
	if err != nil {
		return err
	}
	return b.write(top+".tar.gz", packed)
}

// write writes a file of the release.
func (b *build) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(b.out, name), data, 0o644) //nolint:gosec // what is released is for everybody
}

// pack returns a compressed archive of files below a folder. It depends on nothing but its arguments.
func pack(top string, files []file, at time.Time) ([]byte, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.name, b.name) })
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := tar.Header{
			Typeflag: tar.TypeReg, Name: top + "/" + f.name, Size: int64(len(f.data)), Mode: int64(f.mode()), ModTime: at,
			Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	err = errors.Join(archive.Close(), compressed.Close())
	return packed.Bytes(), err
}

// writeSums writes the checksums of all files, as sha256sum --check reads them.
func (b *build) writeSums() error {
	names, err := list(b.out, "")
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), filepath.Base(name))
	}
	return b.write("SHA256SUMS", []byte(sums.String()))
}
