package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stamp is what every file of a release says about its origin.
type stamp struct {
	version string // such as 0.1.0
	commit  string
	time    time.Time // of the commit, which is the time of all files
	ldflags string
}

// readStamp asks build/version.sh.
func readStamp(ctx context.Context, root string, env []string) (stamp, error) {
	told, err := output(ctx, root, env, "build/version.sh")
	if err != nil {
		return stamp{}, err
	}
	lines := strings.Split(strings.TrimSpace(told), "\n")
	if len(lines) != 3 {
		return stamp{}, fmt.Errorf("build/version.sh: %d lines are told, not version, commit and time", len(lines))
	}
	at, err := time.Parse(time.RFC3339, lines[2])
	if err != nil {
		return stamp{}, fmt.Errorf("build/version.sh: %w", err)
	}
	ldflags, err := output(ctx, root, env, "build/version.sh", "ldflags")
	if err != nil {
		return stamp{}, err
	}
	s := stamp{version: lines[0], commit: lines[1], time: at.UTC(), ldflags: strings.TrimSpace(ldflags)}
	return s, s.verify(root)
}

// verify returns an error if a tag is for another version than the chart, whose default images it would not have.
func (s stamp) verify(root string) error {
	chart, err := os.ReadFile(filepath.Join(root, "deploy/helm/flagside/Chart.yaml"))
	if err != nil {
		return err
	}
	if base, _, dev := strings.Cut(s.version, "-dev+"); !dev && !strings.Contains(string(chart), "\nappVersion: "+base+"\n") {
		return fmt.Errorf("deploy/helm/flagside/Chart.yaml: appVersion is not %s, the version of the tag: set it, and tag the commit that has it", s.version)
	}
	return nil
}

// environ returns the environment variables for another build of the same.
func (s stamp) environ() []string {
	return []string{"VERSION=" + s.version, "COMMIT=" + s.commit, "COMMIT_TIME=" + s.time.Format(time.RFC3339)}
}

// output runs a command in a directory and returns what it prints.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		absolute, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		name = absolute
	}
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands are named in this package
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	printed, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return string(printed), nil
}
