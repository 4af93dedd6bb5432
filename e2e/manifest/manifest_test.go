package manifest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// shop are flags as their owners have them. Some say what would become code if it came out as it is, and some cannot be told at all.
func shop() map[string]string {
	return map[string]string{
		"new-checkout": `{"state":"ENABLED","description":"The \"one\" page\nfunc init() { panic(1) }\n*/ throw 1; /* \"\"\" \\u002a/",
			"variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}}`,
		"greeting":     `{"state":"ENABLED","variants":{"default":"Hello"},"defaultVariant":"default"}`,
		"most.results": `{"state":"ENABLED","variants":{"few":10,"many":100},"defaultVariant":"few"}`,
		"rate":         `{"state":"ENABLED","variants":{"a":1.0,"b":2.5},"defaultVariant":"b"}`,
		"limits":       `{"state":"ENABLED","variants":{"a":{"cart":5,"tags":["x"]}},"defaultVariant":"a"}`,
		"forgotten":    `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`,
		"guarded":      `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on","offVariant":"off"}`,
		"team/flag":    `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`,
		"quotes":       `{"state":"ENABLED","variants":{"a":"\"+evil()+\""},"defaultVariant":"a"}`,
	}
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

// What people do, one after the other, with what they see.
func TestOpenFeatureCommandLine(t *testing.T) {
	s := start(t)
	for key, body := range shop() {
		if _, _, err := s.client.Put(t.Context(), "staging", flagID(key), []byte(body), client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
			t.Fatal(err)
		}
	}
	staging, prod := s.provider("staging"), s.provider("prod")
	pull := func(file string) {
		t.Helper()
		s.works(t, "Successfully fetched flags", slices.Concat([]string{"pull", "--no-prompt", "--manifest", file}, staging)...)
	}
	push := func(more ...string) []string { return slices.Concat([]string{"push"}, staging, more) }

	s.works(t, "Project initialized", "init", "--override")
	s.write(t, ".openfeature.yaml", fmt.Sprintf("provider-url: %s\nauth-token: %s\n", staging[1], s.token)) // as docs/typed-accessors.md says
	s.works(t, "Successfully fetched flags", "pull", "--no-prompt")
	if diff := cmp.Diff([]string{"forgotten", "greeting", "guarded", "limits", "most.results", "new-checkout", "rate"}, s.keys(t, "flags.json")); diff != "" {
		t.Errorf("pulled (-want +got):\n%s", diff)
	}
	pull("again.json")
	s.works(t, "No differences found", "compare", "--manifest", "again.json", "--against", "flags.json")
	s.works(t, "No changes needed", push()...)

	s.works(t, "", "manifest", "add", "banner", "--type", "boolean", "--default-value", "true", "--description", "Shown to all")
	s.works(t, "Would Create (1): + banner", push("--dry-run")...)
	s.works(t, "Created (1): + banner", push()...)
	s.edit(t, "greeting", "Hi")
	s.edit(t, "most.results", 100)
	s.works(t, "Updated (2): ~ greeting", push()...)
	s.works(t, "No changes needed", push()...)
	if got, _, err := s.client.Document(t.Context(), "staging", flagID("most.results")); err != nil || !strings.Contains(string(got), `"defaultVariant":"many"`) {
		t.Errorf("pushed, the flag is %s, %v", got, err)
	}
	pull("again.json")
	s.works(t, "No differences found", "compare", "--manifest", "again.json", "--against", "flags.json")

	t.Run("what is refused", func(t *testing.T) { s.refusals(t, staging, prod) })
	t.Run("Go", s.generateGo)
	t.Run("Node.js", s.generateNode)

	if _, err := s.client.ArchiveManifestFlag(t.Context(), "staging", "banner", api.ManifestHeaders{}); err != nil {
		t.Fatal(err)
	}
	pull("again.json")
	s.works(t, "Removals: - banner", "compare", "--manifest", "again.json", "--against", "flags.json")
	s.fails(t, "was archived: bring it back with flagside flag revive banner", push()...)
}

// refusals are pushes that end with an error, and pulls of what is not there.
func (s *system) refusals(t *testing.T, staging, prod []string) {
	of := func(verb, file string, provider []string) []string {
		return slices.Concat([]string{verb, "--manifest", file}, provider)
	}
	write := func(flag string) string {
		s.write(t, "one.json", `{"flags":{`+flag+`}}`)
		return "one.json"
	}
	s.fails(t, "The type of flag \"greeting\" is string and cannot become boolean",
		of("push", write(`"greeting":{"flagType":"boolean","defaultValue":true}`), staging)...)
	s.fails(t, "No variant of flag \"most.results\" has the value 7",
		of("push", write(`"most.results":{"flagType":"integer","defaultValue":7}`), staging)...)
	s.fails(t, "A manifest would leave out flag \"a/b\"", of("push", write(`"a/b":{"flagType":"boolean","defaultValue":true}`), staging)...)
	s.fails(t, "Flag \"quotes\" exists already. It is not in the manifest",
		of("push", write(`"quotes":{"flagType":"boolean","defaultValue":true}`), staging)...)
	s.fails(t, "Nothing was changed yet: policies want others to agree. Change request",
		of("push", write(`"banner":{"flagType":"boolean","defaultValue":true}`), prod)...)
	s.fails(t, "several environments: prod, staging.", "pull", "--provider-url", s.address, "--auth-token", s.token)
	s.fails(t, "unknown environment \\\"nowhere\\\": create it first", "pull", "--provider-url", s.address+"/api/v1/environments/nowhere", "--auth-token", s.token)
	s.fails(t, "authentication failed: The bearer token was not accepted", "pull", "--provider-url", staging[1], "--auth-token", "wrong")
}

// answers are what both applications print, which ask as a customer with the plan gold.
func answers() []string {
	return []string{
		"new-checkout true on TARGETING_MATCH", "greeting Hi", "most.results 100", "rate 2.5", "banner true",
		"forgotten true", "guarded false", // they are disabled, so that the default values of the accessors apply
	}
}

// generateGo compiles an application with the accessors for Go, and runs it.
func (s *system) generateGo(t *testing.T) {
	s.works(t, "Happy coding", "generate", "go", "--package-name", "flags", "--output", "go")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{ // so that they belong to this module, and use its requirements
		filepath.Join(here, "app/main.go"):            filepath.Join(here, "testdata/app/main.go"),
		filepath.Join(here, "app/flags/flags_gen.go"): filepath.Join(s.dir, "go/flags_gen.go"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "overlay.json", string(overlay))
	app := filepath.Join(t.TempDir(), "app")
	run(t, exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(s.dir, "overlay.json"), "-o", app, "./app"))
	s.application(t, exec.CommandContext(t.Context(), app), append(answers(), "limits map[cart:5 tags:[x]]"))
}

// generateNode bundles an application with the accessors for Node.js, and runs it.
func (s *system) generateNode(t *testing.T) {
	packages, err := filepath.Abs("../clients/javascript/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(packages); err != nil {
		t.Skip("the packages of e2e/clients/javascript are not installed: run make clients first")
	}
	s.works(t, "Happy coding", "generate", "nodejs", "--output", "node")
	text, err := os.ReadFile("testdata/app/main.ts")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "node/main.ts", string(text))
	bundle := exec.CommandContext(t.Context(), filepath.Join(packages, ".bin/esbuild"), "main.ts", "--bundle", "--platform=node", "--log-level=warning", "--outfile=main.js")
	bundle.Dir, bundle.Env = filepath.Join(s.dir, "node"), append(os.Environ(), "NODE_PATH="+packages)
	run(t, bundle)
	s.application(t, exec.CommandContext(t.Context(), "node", filepath.Join(s.dir, "node/main.js")), append(answers(), `limits {"cart":5,"tags":["x"]}`))
}

// application runs a program that must print some lines.
func (s *system) application(t *testing.T, c *exec.Cmd, lines []string) {
	t.Helper()
	c.Env = append(os.Environ(), "OFREP_ENDPOINT="+s.ofrep)
	shown := run(t, c)
	for _, line := range lines {
		if !strings.Contains(shown, line) {
			t.Errorf("the application does not print %q:\n%s", line, shown)
		}
	}
}

// write writes a file of the project.
func (s *system) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// project is a manifest as the command line writes it.
type project struct {
	Flags map[string]map[string]any `json:"flags"`
}

func (s *system) read(t *testing.T, name string) (p project) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *system) keys(t *testing.T, name string) (keys []string) {
	for key := range s.read(t, name).Flags {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// edit changes the default value of a flag in flags.json.
func (s *system) edit(t *testing.T, key string, byDefault any) {
	t.Helper()
	p := s.read(t, "flags.json")
	p.Flags[key]["defaultValue"] = byDefault
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "flags.json", string(text))
}
