package references

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// list returns the files of a folder that are searched, by their paths below it and in order, what could not be listed, and the commit that is checked
// out there.
func list(ctx context.Context, folder string, exclude []string) (files []string, left []Left, commit string, err error) {
	for _, pattern := range exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, nil, "", fmt.Errorf("exclude pattern %q: %w", pattern, err)
		}
	}
	if info, err := os.Stat(folder); err != nil {
		return nil, nil, "", err
	} else if !info.IsDir() {
		return nil, nil, "", fmt.Errorf("%s is not a folder: name the one with the source code", folder)
	}
	files, warnings, err := listGit(ctx, folder)
	if err != nil { // no checkout, or no git
		if files, err = walk(folder, exclude); err != nil {
			return nil, nil, "", err
		}
	} else {
		commit = headOf(ctx, folder)
	}
	for line := range strings.Lines(warnings) {
		left = append(left, Left{File: ".", Reason: strings.TrimSpace(line)})
	}
	files = slices.DeleteFunc(files, func(f string) bool { return leftOut(f, exclude) })
	slices.Sort(files)
	return slices.Compact(files), left, commit, nil
}

// listGit returns the files that git knows, those of submodules included, or would add, and what it warns of; an error if the folder is in no checkout,
// or git is not installed.
func listGit(ctx context.Context, folder string) (files []string, warnings string, err error) {
	for _, arguments := range [][]string{{"--cached", "--recurse-submodules"}, {"--others", "--exclude-standard"}} {
		out, said, err := git(ctx, folder, append([]string{"ls-files", "-z"}, arguments...)...)
		if err != nil {
			return nil, "", err
		}
		warnings += said
		for name := range strings.SplitSeq(out, "\x00") {
			if name != "" {
				files = append(files, name)
			}
		}
	}
	return files, warnings, nil
}

// headOf returns the commit that is checked out, empty if nothing was committed yet.
func headOf(ctx context.Context, folder string) string {
	head, _, err := git(ctx, folder, "rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(head)
}

// git runs git in a folder. A checkout can name a program that watches its files, which is not run: its author need not be
// the caller.
func git(ctx context.Context, folder string, arguments ...string) (out, warnings string, err error) {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", folder, "-c", "core.fsmonitor=false"}, arguments...)...) // #nosec G204 -- constants and the caller's folder
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// walk returns all files of a folder. Links are not followed.
func walk(folder string, exclude []string) (files []string, err error) {
	err = filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case name == ".":
		case entry.IsDir() && leftOut(name+"/", exclude):
			return fs.SkipDir
		case entry.Type().IsRegular():
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}
