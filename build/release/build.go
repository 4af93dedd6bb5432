package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs are what is released.
func programs() []string { return []string{"flagside", "publisher", "sidecar"} }

// build makes a release of one state of the source.
type build struct {
	root, out string // directories of the source, and for what is released
	work      string // directory for what it is made of, below out while it is made
	env       []string
	stamp     stamp
	generated []file // manual and completion
}

// newBuild empties the directory for what is released. The environment variables in env are added to those of this process.
func newBuild(ctx context.Context, root, out string, env []string) (*build, error) {
	root, rootErr := filepath.Abs(root)
	out, outErr := filepath.Abs(out)
	if err := errors.Join(rootErr, outErr); err != nil {
		return nil, err
	}
	b := &build{root: root, out: out, work: filepath.Join(out, "work"), env: env}
	var err error
	if b.stamp, err = readStamp(ctx, root, env); err != nil {
		return nil, err
	}
	return b, errors.Join(os.RemoveAll(out), os.MkdirAll(b.work, 0o755)) //nolint:gosec // what is released is for everybody
}

// all makes everything for some platforms.
func (b *build) all(ctx context.Context, platforms []platform) error {
	if err := b.generate(ctx); err != nil {
		return err
	}
	for _, p := range platforms {
		if err := b.platform(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return errors.Join(os.RemoveAll(b.work), b.writeSums())
}

// platform makes what is released for a platform.
func (b *build) platform(ctx context.Context, p platform) error {
	if err := b.compile(ctx, p); err != nil {
		return err
	}
	linked, err := b.modules(ctx, p)
	if err != nil {
		return err
	}
	files, err := b.contents(p, linked)
	if err != nil {
		return err
	}
	if err := b.writeArchive(p, files); err != nil {
		return err
	}
	if err := b.writeBills(p, linked); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	return b.writePackages(p, files)
}

// bin returns the directory of the programs for a platform.
func (b *build) bin(p platform) string { return filepath.Join(b.work, p.String()) }

// compile builds the programs for a platform. Nothing of the environment or the place of the source gets into them.
func (b *build) compile(ctx context.Context, p platform) error {
	env := append(b.goEnv(p), "GOFLAGS=")
	_, err := output(ctx, b.root, env, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", b.stamp.ldflags,
		"-o", b.bin(p)+"/", "./cmd/flagside", "./cmd/publisher", "./cmd/sidecar")
	return err
}

// goEnv returns the environment of the go command that decides on what is compiled for a platform.
func (b *build) goEnv(p platform) []string {
	return append(slices.Clip(b.env), "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off")
}

// generate lets the programs of this platform print their manual and their completion.
func (b *build) generate(ctx context.Context) error {
	if err := b.compile(ctx, here()); err != nil {
		return err
	}
	manual := filepath.Join(b.work, "manual")
	if err := os.MkdirAll(manual, 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	for _, program := range programs() {
		path := filepath.Join(b.bin(here()), program)
		if _, err := output(ctx, b.root, nil, path, "__manual", manual); err != nil {
			return err
		}
		for shell, name := range map[string]string{"bash": program + ".bash", "zsh": "_" + program, "fish": program + ".fish"} {
			script, err := output(ctx, b.root, nil, path, "completion", shell)
			if err != nil {
				return err
			}
			b.generated = append(b.generated, file{name: "completion/" + shell + "/" + name, data: []byte(script)})
		}
	}
	pages, err := os.ReadDir(manual)
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(manual, page.Name()))
		if err != nil {
			return err
		}
		b.generated = append(b.generated, file{name: "man/man" + strings.TrimPrefix(filepath.Ext(page.Name()), ".") + "/" + page.Name(), data: text})
	}
	return nil
}
