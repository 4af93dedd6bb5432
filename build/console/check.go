package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/go-json-experiment/json"
)

// checkers are the compilers of TypeScript, which need no Node.js, by system. They are of one version.
var checkers = map[string]library{
	"linux/amd64":  checker("linux-x64", "sha512-EYdf2cNg7rgCWJnxCdJ+F3V39O8ihb37eHAu1LK8oAFizgTQbPOK7zHHXbPt8rX24COqODXeI3sIf0fCXG7H/A=="),
	"linux/arm64":  checker("linux-arm64", "sha512-Qh4eU4/y3yDjnfjjyPYihMj5/ODIlmt+Bzu17OI+fiSRDW57QmU5SiN63exPRNJPKUzcc1INa1NXdrJ+MqHjUQ=="),
	"darwin/arm64": checker("darwin-arm64", "sha512-gowzar9MwS/aRWp6f3a4KUqzRjAZjOsmGNCM6LcTgXum+dBfgsBVMN+AgvOCCbguXyick6LJhpBszxMebJ8syA=="),
	"darwin/amd64": checker("darwin-x64", "sha512-SZ9xZInqApNlNGc9s0W1VSsktYSOe9cFqNOIqmN1Gs8SmkjKZYFt017G4VwPxASInODuAdbTW7sXiFUf893RgA=="),
}

func checker(system, integrity string) library {
	return library{Package: "@typescript/typescript-" + system, Version: "7.0.2", Integrity: integrity}
}

// check has the compiler of TypeScript check the types of the sources. It and the types of the libraries are fetched once, into the user's cache.
func check(ctx context.Context, root string) error {
	compiler, ok := checkers[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return fmt.Errorf("types are not checked on %s/%s: build/console/check.go names no compiler of TypeScript for it", runtime.GOOS, runtime.GOARCH)
	}
	sources, err := filepath.Abs(filepath.Join(root, web))
	if err != nil {
		return err
	}
	libraries, err := libraries(filepath.Join(sources, "vendor"))
	if err != nil {
		return err
	}
	modules, err := fetchModules(ctx, append(libraries, compiler))
	if err != nil {
		return err
	}
	project, err := projectOf(sources, modules)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(project) }()
	tsc := exec.CommandContext(ctx, filepath.Join(modules, compiler.Package, "lib", "tsc"), "--project", project) //nolint:gosec // its archive was checked
	tsc.Dir, tsc.Stdout, tsc.Stderr = sources, os.Stdout, os.Stderr
	if err := tsc.Run(); err != nil {
		return fmt.Errorf("types of %s: %w", web, err)
	}
	return nil
}

// fetchModules returns a folder with these packages. Its name is that of their content, so it is complete if it is there.
func fetchModules(ctx context.Context, all []library) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	named := sha256.New()
	for _, l := range all {
		fmt.Fprintln(named, l.Package, l.Integrity)
	}
	folder := filepath.Join(cache, "flagside", "types-"+hex.EncodeToString(named.Sum(nil))[:16])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return "", err
	}
	fetched, err := archives(ctx, all)
	if err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(folder), "fetching-")
	if err != nil {
		return "", err
	}
	for i, l := range all {
		if err := l.install(fetched[i], filepath.Join(fresh, filepath.FromSlash(l.Package))); err != nil {
			return "", errors.Join(fmt.Errorf("%s %s: %w", l.Package, l.Version, err), os.RemoveAll(fresh))
		}
	}
	if err := os.Rename(fresh, folder); err != nil && !errors.Is(err, os.ErrExist) { // another one was quicker
		return "", err
	}
	return folder, nil
}

// projectOf writes the settings of the sources together with where their libraries are, and returns the file.
func projectOf(sources, modules string) (string, error) {
	settings, err := json.Marshal(map[string]any{
		"extends":         filepath.Join(sources, "tsconfig.json"),
		"include":         []string{filepath.Join(sources, "**", "*")},
		"exclude":         []string{filepath.Join(sources, "vendor")},
		"compilerOptions": map[string]any{"paths": map[string][]string{"*": {filepath.Join(modules, "*")}}},
	})
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(modules, "tsconfig-*.json")
	if err != nil {
		return "", err
	}
	_, err = file.Write(settings)
	return file.Name(), errors.Join(err, file.Close())
}
