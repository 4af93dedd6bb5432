package resolver

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// buildHead is how many bytes of a program file tell it from others: its first pages have the sizes of its parts, and the build ID that
// the linker gives it.
const buildHead = 16 << 10

// buildID identifies the program, on which the encoding of answers depends. Its version is not enough: a build without version control has
// none.
func buildID() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the file of this program: %w", err)
	}
	head, err := digestOfHead(path)
	if err != nil {
		return "", err
	}
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	return version + " " + string(head[:]), nil
}

// digestOfHead returns the digest of the first bytes of a file.
func digestOfHead(path string) (digest, error) {
	file, err := os.Open(path) // #nosec G304 -- the file of the program
	if err != nil {
		return digest{}, err
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, buildHead))
	if err != nil {
		return digest{}, err
	}
	return digestOf(head), nil
}
