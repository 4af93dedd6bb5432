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

// list returns the files of a folder that are searched, by their paths below it and in order, and the commit that is checked out there.
func list(ctx context.Context, folder string, exclude []string) (files []string, commit string, err error) {
	for _, pattern := range exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, "", fmt.Errorf("exclude pattern %q: %w", pattern, err)
		}
	}
	if info, err := os.Stat(folder); err != nil {
		return nil, "", err
	} else if !info.IsDir() {
		return nil, "", fmt.Errorf("%s is no folder: name the one with the source code", folder)
	}
	files, commit, ok := listGit(ctx, folder)
	if !ok {
		if files, err = walk(folder, exclude); err != nil {
			return nil, "", err
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return leftOut(f, exclude) })
	slices.Sort(files)
	return slices.Compact(files), commit, nil
}

// listGit returns the files that git knows or would add, if the folder is in a checkout and git is installed.
func listGit(ctx context.Context, folder string) (files []string, commit string, ok bool) {
	git := func(arguments ...string) ([]byte, error) {
		return exec.CommandContext(ctx, "git", append([]string{"-C", folder}, arguments...)...).Output() // #nosec G204 -- constants and the caller's folder
	}
	out, err := git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, "", false
	}
	for name := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		if len(name) > 0 {
			files = append(files, string(name))
		}
	}
	head, err := git("rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		head = nil // nothing is committed yet
	}
	return files, strings.TrimSpace(string(head)), true
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
