package charttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// programs builds the programs, once for all tests of a run.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/...")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return dir
}

// The commands of the compose file are command lines that the programs take.
func TestComposeCommands(t *testing.T) {
	text, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image    string   `json:"image"`
			Command  []string `json:"command"`
			ReadOnly bool     `json:"read_only"`
		} `json:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	dir, ours := programs(t), 0
	for name, s := range file.Services {
		program, found := strings.CutPrefix(strings.SplitN(s.Image, ":", 2)[0], "flagside/")
		if !found {
			continue
		}
		ours++
		if !s.ReadOnly {
			t.Errorf("%s may write to its image", name)
		}
		command := exec.Command(filepath.Join(dir, program), append(s.Command, "--print-config")...)
		command.Env = []string{}
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
	if ours < 3 {
		t.Errorf("%d services run our images", ours)
	}
	token := filepath.Join(t.TempDir(), "admin-token")
	write(t, token, "token")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	lines := typed.FindAllStringSubmatch(string(text), -1)
	for _, line := range lines {
		command := exec.Command(filepath.Join(dir, "flagside"), append(strings.Fields(strings.ReplaceAll(line[1], "/data/admin-token", token)), "--print-config")...)
		command.Env = []string{}
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", line[1], err, output)
		}
	}
	if len(lines) < 3 {
		t.Errorf("%d commands are told to people", len(lines))
	}
}

// typed are the commands that the file tells people to type.
var typed = regexp.MustCompile(`(?m)^#.* exec publisher /flagside (.*)$`)

// So are those of the chart, of whatever values.
func TestChartCommands(t *testing.T) {
	dir := programs(t)
	for example, r := range renderedExamples(t) {
		t.Run(example, func(t *testing.T) {
			for name, pod := range r.Pods() {
				for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
					if !isOurs(c.Image) {
						continue
					}
					run(t, dir, name, c.Image, c.Args)
					for _, probe := range [][]string{probed(c.StartupProbe), probed(c.LivenessProbe), probed(c.ReadinessProbe)} {
						if len(probe) > 0 {
							run(t, dir, name, c.Image, probe[1:])
						}
					}
				}
			}
		})
	}
	t.Run("include", func(t *testing.T) {
		c := included(t).InitContainers[0]
		run(t, dir, "include", c.Image, append(c.Args, "--environment=prod"))
	})
}
