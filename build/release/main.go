// Command release builds what is released: for each platform an archive with the programs, manual, completion and licences, for Linux packages of
// Debian, for each program a bill of materials, and the checksums of all. Then it builds one platform a second time, elsewhere and from nothing, and
// compares.
//
// The same commit gives the same bytes with the same version of Go. Run it with make release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// run builds and compares. Its last line has the figures, also if it fails.
func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("release", flag.ContinueOnError)
	root := set.String("root", "../..", "directory of the source")
	to := set.String("out", "../../dist/release", "directory for what is built; it is emptied first")
	names := set.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "platforms to build for, separated by commas")
	if err := set.Parse(args); err != nil {
		return err
	}
	platforms, err := parsePlatforms(*names)
	if err != nil {
		return err
	}
	failed, reproducible := 0, 0
	b, err := newBuild(ctx, *root, *to, nil)
	if err == nil {
		err = b.all(ctx, platforms)
	}
	if err == nil {
		err = b.compareWithAnother(ctx, repeated(platforms))
	}
	if err == nil {
		reproducible = 1
	} else {
		failed = 1
	}
	packages, listErr := list(*to, ".deb")
	fmt.Fprintf(out, "figures: platforms=%d packages=%d reproducible=%d failed=%d\n", len(platforms), len(packages), reproducible, failed)
	return errors.Join(err, listErr)
}

// platform is what a program runs on.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// here is the platform of this program.
func here() platform { return platform{runtime.GOOS, runtime.GOARCH} }

// repeated returns the platform that is built twice: this one, if it is among them.
func repeated(platforms []platform) platform {
	if slices.Contains(platforms, here()) {
		return here()
	}
	return platforms[0]
}

func parsePlatforms(names string) ([]platform, error) {
	var all []platform
	for name := range strings.SplitSeq(names, ",") {
		system, arch, ok := strings.Cut(strings.TrimSpace(name), "/")
		if !ok || system == "" || arch == "" {
			return nil, fmt.Errorf("%q is no platform such as linux/amd64", name)
		}
		all = append(all, platform{system, arch})
	}
	return all, nil
}

// list returns the paths of the files of a directory whose names end so.
func list(dir, suffix string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "*"+suffix))
}
