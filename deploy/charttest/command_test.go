package charttest

import (
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// probed returns the command of a probe, nil if there is none.
func probed(p *core.Probe) []string {
	if p == nil || p.Exec == nil {
		return nil
	}
	return p.Exec.Command
}

// run asks a program whether it would take a command line. The variables are those of the chart's containers that have no default.
func run(t *testing.T, dir, at, image string, args []string) {
	t.Helper()
	program := path.Base(strings.SplitN(image, ":", 2)[0])
	command := exec.Command(filepath.Join(dir, program), append(args, "--print-config")...)
	command.Env = []string{"FLAGSIDE_ENVIRONMENT=prod"}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s: %s %v: %v: %s", at, program, args, err, output)
	}
}
