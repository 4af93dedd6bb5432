package source_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/source"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const plainFlag = `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"`

// The files of a directory are read as one, whatever else lies there.
func TestReadDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.json":       `{"$schema":"x","flags":{"a":` + plainFlag + `,"prerequisites":[{"flag":"b","variants":["on"]}],"targeting":{"if":[{"$ref":"staff"},"on"]}}}}`,
		"team/b.yaml":  "metadata:\n  flagSetId: shop\n$evaluators:\n  staff: {in: [{var: email}, [ann]]}\nflags:\n  b: " + plainFlag + ", $source: someone}\n",
		"README.md":    "no flags",
		".hidden.json": "nothing", "..data/x.json": "nothing",
	})
	link := filepath.Join(t.TempDir(), "link") // as git-sync makes one
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s, err := source.Read(link, eval.New(), "")
	if err != nil || s.Findings.Err() != nil {
		t.Fatal(err, s.Findings)
	}
	var got []string
	for _, d := range s.Documents {
		got = append(got, d.ID().String())
		if ownership.Owner(d.Body) != "" {
			t.Errorf("%s keeps an owner that the file names", d.ID())
		}
	}
	if all := strings.Join(got, " "); all != "settings/environment segment/staff flag/a flag/b" || len(s.Files) != 2 {
		t.Errorf("got %s of %v", all, s.Files)
	}
}

// Mistakes are told with the file that they stand in.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"twice": {
			map[string]string{"a.json": `{"flags":{"x":` + plainFlag + `}}}`, "b.json": "{\n\"flags\":{\"x\":" + plainFlag + "}}}"},
			[]string{`b.json:2:14: flag "x": another file has this, too (keep it in one of them)`},
		},
		"metadata twice": {
			map[string]string{"a.json": `{"metadata":{},"flags":{}}`, "b.json": `{"metadata":{},"flags":{}}`},
			[]string{`b.json:1:1: another file has metadata, too (keep it in one of them)`},
		},
		"reference": {
			map[string]string{"a.yaml": "flags:\n  x:\n    state: ENABLED\n    variants: {on: true}\n    targeting: {$ref: staff}\n", "b.json": `{"flags":{}}`},
			[]string{`a.yaml:5:16: flag "x" at /targeting`},
		},
		"unreadable": { // what may stand in the broken file is not said to be missing
			map[string]string{"a.json": `{"flags":{"x":` + plainFlag + `,"targeting":{"$ref":"staff"}}}}`, "b.yaml": "flags: [", "c.json": `{"flags":`},
			[]string{"b.yaml:1:8: this is not YAML", "c.json:1:10: this is not JSON"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, test.files)
			s, err := source.Read(dir, eval.New(), "")
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Findings) != len(test.want) {
				t.Fatalf("got %v", s.Findings)
			}
			for i, f := range s.Findings {
				if got := strings.TrimPrefix(f.Error(), dir+"/"); !strings.HasPrefix(got, test.want[i]) {
					t.Errorf("got %s, want %s", got, test.want[i])
				}
			}
		})
	}
	if _, err := source.Read(t.TempDir(), eval.New(), ""); err == nil {
		t.Error("an empty directory is a source")
	}
}

// Files are of one version while links that lead to them move: that of a directory, as git-sync moves it, or those behind each file, as mounts have them.
func TestReadOneVersion(t *testing.T) {
	t.Parallel()
	for name, behind := range map[string]bool{"git-sync": false, "ConfigMap": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, data := filepath.Join(dir, "flags"), filepath.Join(dir, "flags")
			if behind {
				data = filepath.Join(path, "..data")
				for _, file := range []string{"a.json", "b.json"} {
					write(t, path, map[string]string{"x": ""})
					if err := os.Symlink(filepath.Join("..data", file), filepath.Join(path, file)); err != nil {
						t.Fatal(err)
					}
				}
			}
			moves, stop := 0, make(chan struct{})
			move := func() {
				next := filepath.Join(dir, fmt.Sprint("version-", moves))
				said := fmt.Sprintf(`:%s,"owner":"%d"}}}`, plainFlag, moves)
				write(t, next, map[string]string{"a.json": `{"flags":{"a"` + said, "b.json": `{"flags":{"b"` + said})
				link := filepath.Join(dir, "link")
				if err := errors.Join(os.Symlink(next, link), os.Rename(link, data)); err != nil {
					t.Error(err)
				}
				if moves >= 2 {
					_ = os.RemoveAll(filepath.Join(dir, fmt.Sprint("version-", moves-2)))
				}
				moves++
			}
			move()
			var moving sync.WaitGroup
			moving.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						move()
						time.Sleep(100 * time.Microsecond)
					}
				}
			})
			for range 500 {
				s, err := source.Read(path, eval.New(), "")
				if err != nil || len(s.Documents) != 2 || len(s.Findings) > 0 {
					t.Errorf("%v: %+v", err, s)
					break
				}
				if a, b := string(s.Documents[0].Body), string(s.Documents[1].Body); a != b {
					t.Errorf("%s and %s are read together", a, b)
					break
				}
				if s.Files[0] != filepath.Join(path, "a.json") {
					t.Errorf("the file is called %s", s.Files[0])
				}
			}
			close(stop)
			moving.Wait()
			t.Logf("%d versions", moves)
		})
	}
}

// What would be waited for without an end is refused.
func TestReadRefusesPipes(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "f.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := source.Read(pipe, eval.New(), ""); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
		t.Errorf("a pipe is read: %v", err)
	}
}

// A file that is much too large is not read into memory, and a link that leads nowhere is named.
func TestReadRefusesWhatIsNoSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.json": `{"flags":{}}`})
	large := filepath.Join(dir, "b.json")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Skip(err)
	}
	if _, err := source.Read(dir, eval.New(), ""); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("a file of 1 TiB: %v", err)
	}
	for _, err := range []error{os.Remove(large), os.Symlink("b.json", large)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := source.Read(dir, eval.New(), ""); err == nil || !strings.HasPrefix(err.Error(), large) {
		t.Errorf("a link to itself: %v", err)
	}
}

// What lies behind a link that leads out of a source is not repeated by what is said about it: who may write the files need not be permitted to read
// what the publisher can.
func TestFindingsRepeatNoSecrets(t *testing.T) {
	t.Parallel()
	for ending, content := range map[string]string{
		".yaml": "hunter2.hunter2.hunter2\n", ".yml": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", ".json": `{"seed":"hunter2"}`, ".b.json": "hunter2",
		".c.yaml": "password: hunter2\n",
	} {
		dir, outside := t.TempDir(), t.TempDir()
		write(t, outside, map[string]string{"secret": content})
		if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "a"+ending)); err != nil {
			t.Fatal(err)
		}
		s, err := source.Read(dir, eval.New(), "")
		if err != nil || s.Findings.Err() == nil || strings.Contains(s.Findings.Err().Error(), "hunter2") {
			t.Errorf("%s: %v, %+v", ending, err, s)
		}
	}
}
