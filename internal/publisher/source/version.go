package source

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxReads is how often files are read while the links that lead to them move.
const maxReads = 100

// maxContents bounds the files of a source together, in bytes.
const maxContents = 64 << 20

// version is the files of a source at one time: how they are named, where they are, and what they say.
type version struct {
	names, places []string
	contents      [][]byte
}

// readFiles reads the files of a source, again if they were replaced by others meanwhile.
func readFiles(path string) (r version, err error) {
	for range maxReads {
		var same bool
		r, same, err = readOnce(path)
		if same || err != nil && !errors.Is(err, fs.ErrNotExist) { // what does not exist may be of the version before
			return r, err
		}
	}
	if err == nil {
		err = fmt.Errorf("%s: the files were replaced by others again and again while they were read: run the same again", path)
	}
	return r, err
}

// readOnce reads the files, and reports whether they lie afterwards where they lay before.
func readOnce(path string) (r version, same bool, err error) {
	if r.names, r.places, err = places(path); err != nil {
		return r, false, err
	}
	left := int64(maxContents)
	for _, place := range r.places {
		content, err := readAtMost(place, left)
		if err != nil {
			return r, false, err
		}
		if left -= int64(len(content)); left < 0 {
			return r, false, fmt.Errorf("%s: the files have more than %d MiB together: divide them into several sources", path, maxContents>>20)
		}
		r.contents = append(r.contents, content)
	}
	names, now, err := places(path)
	return r, err == nil && slices.Equal(names, r.names) && slices.Equal(now, r.places), err
}

// readAtMost reads a file, and no more than one byte beyond a limit.
func readAtMost(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name) // #nosec G304 -- files that the user names
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
}

// places returns the files of a source by name, and where they are behind all links.
func places(path string) (names, places []string, err error) {
	if names, err = Names(path); err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		place, err := filepath.EvalSymlinks(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		places = append(places, place)
	}
	return names, places, nil
}

// digest returns the SHA-256 of the names below the path, and of the contents.
func (v version) digest(path string) (sum [sha256.Size]byte) {
	hash := sha256.New()
	for i, name := range v.names {
		fmt.Fprintf(hash, "%q %d\n", strings.TrimPrefix(name, filepath.Clean(path)), len(v.contents[i]))
		hash.Write(v.contents[i])
	}
	hash.Sum(sum[:0])
	return sum
}
