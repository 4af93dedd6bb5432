package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// compareWithAnother builds one platform again, from a copy of the source in another directory and with nothing compiled before, and returns an
// error if a byte of what is released differs.
func (b *build) compareWithAnother(ctx context.Context, p platform) (err error) {
	temporary, err := os.MkdirTemp("", "release-again-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	source := filepath.Join(temporary, "source", "of", "flagside")
	if err := b.copySource(ctx, source); err != nil {
		return err
	}
	env := append(b.stamp.environ(), "GOCACHE="+filepath.Join(temporary, "cache"))
	again, err := newBuild(ctx, source, filepath.Join(temporary, "out"), env)
	if err != nil {
		return err
	}
	if err := again.all(ctx, []platform{p}); err != nil {
		return fmt.Errorf("second build: %w", err)
	}
	return compare(b.out, again.out)
}

// copySource copies the files that git knows, as they are, without git's own.
func (b *build) copySource(ctx context.Context, to string) error {
	names, err := output(ctx, b.root, nil, "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(names, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(b.root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // it is deleted, and git was not told
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(b.root, name))
		if err != nil {
			return err
		}
		if err := writeStaged(filepath.Join(to, name), file{data: data, executable: info.Mode()&0o100 != 0}); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error if a file of the second directory is not in the first, byte for byte. Their lists of checksums may have other lines.
func compare(first, second string) error {
	names, err := list(second, "")
	if err != nil {
		return err
	}
	compared := 0
	for _, name := range names {
		base := filepath.Base(name)
		if base == "SHA256SUMS" {
			continue
		}
		one, oneErr := os.ReadFile(filepath.Join(first, base))
		two, twoErr := os.ReadFile(name)
		if err := errors.Join(oneErr, twoErr); err != nil {
			return err
		}
		if string(one) != string(two) {
			return fmt.Errorf("%s: a second build from another directory has other bytes: see with diffoscope what gets into it", base)
		}
		compared++
	}
	if compared == 0 {
		return errors.New("the second build made nothing to compare")
	}
	return nil
}
