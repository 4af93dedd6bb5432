package contracts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// verdict is what Schemathesis reports.
type verdict struct {
	Complete  bool                    `json:"complete"`
	Errors    []json.RawMessage       `json:"errors"`
	TestCases struct{ Generated int } `json:"test_cases"`
	Failures  []struct {
		Code       string   `json:"code"`
		Title      string   `json:"title"`
		Operations []string `json:"operations"`
	} `json:"failures"`
}

// leftOut is a check that does not hold for an operation, and why it should not. Without operations it is left out for all.
type leftOut struct {
	code       string
	operations []string
	reason     string
}

// archiving is the operation that comes last: after it, the others only say that the environment is archived.
const archiving = "archiveEnvironment"

// What Schemathesis calls its checks.
const (
	accepted = "ST201" // a request that the schema does not permit
	rejected = "ST202" // a request that the schema permits
)

// ofPublisher is what the API cannot tell in OpenAPI.
func ofPublisher() []leftOut {
	return []leftOut{
		{rejected, nil, "a request of the right form may still be for something that is archived, be without the precondition that a change needs, or have a rule that does not work"},
		{accepted, []string{"POST /api/v1/policy/check"}, "a resource may also be null, which counts as absent: all is global then"},
	}
}

// ofSidecar is where the protocol is stricter on paper than all its servers and clients.
func ofSidecar() []leftOut {
	return []leftOut{
		{accepted, nil, "the schema demands a targeting key that is a string; the protocol's servers evaluate without one, and rules see what was sent"},
		{rejected, nil, "a context may have what no rule can read, such as a name twice"},
	}
}

// install makes Schemathesis once, with all that it needs pinned by hashes.
var install = sync.OnceValues(func() (string, error) {
	venv := filepath.Join("python", "venv")
	for _, words := range [][]string{
		{"python3", "-m", "venv", venv},
		{
			filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:",
			"-r", filepath.Join("python", "requirements.txt"),
		},
	} {
		command := exec.Command(words[0], words[1:]...)
		command.Stderr = os.Stderr
		if err := command.Run(); err != nil {
			return "", err
		}
	}
	return filepath.Abs(filepath.Join(venv, "bin", "schemathesis"))
})

func TestPublisherHoldsItsContract(t *testing.T) {
	t.Parallel()
	for name, authenticated := range map[string]bool{"anonymous": false, "administrator": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := schemathesis(t)
			s := start(t, nil, nil)
			var options []string
			if authenticated {
				options = append(options, "--header", "Authorization: Bearer "+s.token(t))
			}
			document := "../../api/openapi.json"
			judge(t, program, document, s.admin, 2, ofPublisher(), append(options, "--exclude-operation-id", archiving)...)
			judge(t, program, document, s.admin, 2, ofPublisher(), append(options, "--include-operation-id", archiving)...)
		})
	}
}

func TestSidecarHoldsOFREP(t *testing.T) {
	t.Parallel()
	tokens := write(t, t.TempDir(), "tokens", "a-token-of-an-application-that-asks\n")
	for _, c := range []struct {
		name             string
		sidecar, options []string
	}{
		{"no token is needed", nil, nil},
		{"with a token", []string{"--ofrep-auth-file", tokens}, []string{"--header", "Authorization: Bearer a-token-of-an-application-that-asks"}},
		{"without the token", []string{"--ofrep-auth-file", tokens}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := schemathesis(t)
			s := start(t, nil, c.sidecar)
			judge(t, program, "testdata/ofrep.yaml", s.ofrep, 40, ofSidecar(), c.options...)
		})
	}
}

func schemathesis(t *testing.T) string {
	t.Helper()
	needs(t, "python3", "apt-get install python3-venv")
	program, err := install()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// judge lets Schemathesis ask a server, with all its checks, and fails the test for what is not left out. The seed makes each run the same.
func judge(t *testing.T, program, document, server string, examples int, without []leftOut, options ...string) {
	t.Helper()
	dir := t.TempDir()
	document, err := filepath.Abs(document)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(dir, "report.json")
	arguments := append([]string{
		"run", document, "--url", server, "--checks", "all", "--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "1",
		"--max-examples", strconv.Itoa(examples), "--no-shrink", "--continue-on-failure", "--request-timeout", "5",
		"--report", "json", "--report-json-path", report,
	}, options...)
	command := exec.CommandContext(t.Context(), program, arguments...) // #nosec G204 -- the arguments are ours
	command.Dir = dir                                                  // where it keeps what it found, to begin with that the next time
	output, failed := command.CombinedOutput()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v: %v\n%s", failed, err, output)
	}
	var v verdict
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if !v.Complete || len(v.Errors) > 0 || v.TestCases.Generated < 10 {
		t.Errorf("Schemathesis did not finish: complete %t, %d errors, %d cases\n%s", v.Complete, len(v.Errors), v.TestCases.Generated, tail(output))
	}
	t.Logf("%d cases", v.TestCases.Generated)
	for _, f := range v.Failures {
		for _, operation := range f.Operations {
			if !isLeftOut(without, f.Code, operation) {
				t.Errorf("%s: %s %s\n%s", operation, f.Code, f.Title, excerpt(output, operation))
			}
		}
	}
}

func isLeftOut(without []leftOut, code, operation string) bool {
	return slices.ContainsFunc(without, func(l leftOut) bool {
		return l.code == code && (l.operations == nil || slices.Contains(l.operations, operation))
	})
}

// excerpt returns what Schemathesis prints about an operation.
func excerpt(output []byte, operation string) string {
	_, after, ok := strings.Cut(string(output), " "+operation+" _")
	if !ok {
		return tail(output)
	}
	return after[:min(len(after), 4000)]
}

func tail(output []byte) string { return string(output[max(0, len(output)-4000):]) }
