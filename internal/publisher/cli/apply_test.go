package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/waiting"
)

// files writes the files of a source and returns its directory.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// applier runs apply, as an editor, until the test ends.
type applier struct {
	t       *testing.T
	address string
}

func (a applier) as(who string, want int, line string) string {
	a.t.Helper()
	code, output := run(a.t.Context(), a.address, who, "", strings.Fields(line)...)
	if code != want {
		a.t.Fatalf("%s: flagside %s: exit code %d, want %d\n%s", who, line, code, want, output)
	}
	return output
}

func contains(t *testing.T, output string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(output, want) {
			t.Errorf("%q is missing in\n%s", want, output)
		}
	}
}

const (
	banner = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"`
	yes    = " --yes --prune"
)

// What is applied once is not applied again, what the files do not name stays, and what they no longer name goes only if that is asked for.
func TestApply(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	dir := files(t, map[string]string{
		"a.json": `{"flags":{"banner":` + banner + `},"needs":` + banner + `,"prerequisites":[{"flag":"banner","variants":["on"]}],"targeting":{"if":[{"$ref":"staff"},"on"]}}}}`,
		"b.yaml": "# the segments\n$evaluators:\n  staff:\n    in: [{var: email}, [ann@shop.example]]\nflags: {}\n",
	})
	a.as("editor", 0, "flag create hand --bool -e team")
	apply := "apply -f " + dir + " -e team --source shop"

	dry := a.as("editor", 0, apply+" --dry-run")
	contains(t, dry, "added: segment staff, flag banner, flag needs", "you may do it at once")
	contains(t, a.as("editor", 0, apply), "added: segment staff, flag banner, flag needs", "applied to team: 3 added: revision ")
	contains(t, a.as("editor", 0, apply), "nothing to do: 3 documents are in team as the files say")
	contains(t, a.as("editor", 0, "flag get banner -e team -o json"), `"$source": "shop"`)
	contains(t, a.as("editor", 0, "segment add staff bob@shop.example -e team"), "added bob@shop.example")
	contains(t, a.as("editor", 0, apply), "bob@shop.example", "changed: segment staff", "1 changed")
	contains(t, a.as("editor", 0, "flag evaluate needs -e team --context targetingKey=u,email=ann@shop.example"), "banner is not met")

	contains(t, a.as("editor", 4, "apply -f "+dir+" -e team --source other"), "flag banner belongs to the source shop", "--take-over")
	single := filepath.Join(files(t, map[string]string{"one.yaml": "flags:\n  banner: " + banner + ", owner: shop}\n  hand: " + banner + "}\n"}), "one.yaml")
	contains(t, a.as("editor", 0, "apply -f "+single+" -e team --source shop"), "flag hand: the source shop owns it from now on", "2 changed")
	changed := filepath.Join(files(t, map[string]string{"one.yaml": "flags:\n  banner: " + banner + ", owner: ann}\n"}), "one.yaml")
	contains(t, a.as("editor", 0, "apply -f "+changed+" -e team --source other --take-over --dry-run"),
		"flag banner: the source other takes it over from shop", `+  "owner": "ann"`)
	contains(t, a.as("editor", 1, "apply -f "+single+" -e team --source shop --prune"), "this deletes", "--yes")
	contains(t, a.as("editor", 0, "apply -f "+single+" -e team --source shop --dry-run"+yes), "deleted: flag needs, segment staff")
	contains(t, a.as("editor", 0, "apply -f "+single+" -e team --source shop"+yes), "2 deleted")
	contains(t, a.as("editor", 0, "flag list -e team"), "banner", "hand")
	contains(t, a.as("editor", 2, "apply -f "+single+" -e team --prune"), "name the source with --source")

	broken := files(t, map[string]string{"x.yaml": "flags:\n  banner:\n    state: ENABLED\n    variants: {on: true}\n    defaultVariant: of\n"})
	contains(t, a.as("editor", 9, "apply -f "+broken+" -e team --source shop"), `x.yaml:5:21: flag "banner" at /defaultVariant`)
	contains(t, a.as("viewer", 3, "apply -f "+dir+" -e team --source shop"), "not permitted")
	a.as("editor", 5, "apply -f "+dir+" -e nowhere --source shop")
	applier{t, "http://127.0.0.1:1"}.as("editor", 8, "apply -f "+dir+" -e team --source shop")
	a.as("editor", 0, "apply -f "+dir+" -e team --source shop")
	hand := filepath.Join(files(t, map[string]string{"h.json": `{"flags":{"hand":` + banner + `,"prerequisites":[{"flag":"needs","variants":["on"]}]}}}`}), "h.json")
	a.as("editor", 0, "apply -f "+hand+" -e team --source other --take-over")
	contains(t, a.as("editor", 9, "apply -f "+changed+" -e team --source shop"+yes), "needs")
}

// What --dry-run says is what is done.
func TestDryRunIsWhatIsApplied(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	type said struct {
		Result  string
		Changes []struct{ Kind, Key, Done, State, Base string }
	}
	var before string
	for _, flags := range []string{
		`"a":` + banner + `},"b":` + banner + `}`, `"a":` + banner + `,"owner":"x"},"c":` + banner + `,"prerequisites":[{"flag":"a","variants":["on"]}]}`, `"c":` + banner + `}`, ``,
	} {
		dir := files(t, map[string]string{"f.json": `{"flags":{` + flags + `}}`})
		var planned, applied, again said
		for _, step := range []struct {
			more   string
			into   *said
			result string
		}{{" --dry-run", &planned, "planned"}, {"", &applied, "applied"}, {"", &again, "nothing"}} {
			output := a.as("editor", 0, "apply -f "+dir+" -e team --source shop -o json"+yes+step.more)
			if err := json.Unmarshal([]byte(output), step.into); err != nil || step.into.Result != step.result {
				t.Errorf("%v: %s is not %s", err, output, step.result)
			}
			if now := a.as("editor", 0, "flag list -e team -o json"); step.more != "" && before != "" && now != before {
				t.Errorf("--dry-run has changed\n%s to\n%s", before, now)
			} else {
				before = now
			}
		}
		for i, c := range applied.Changes[:min(len(applied.Changes), len(planned.Changes))] {
			if planned.Changes[i].State != "planned" || c.State != "applied" {
				t.Errorf("%s %s is %q, then %q", c.Kind, c.Key, planned.Changes[i].State, c.State)
			}
			applied.Changes[i].State = "planned"
		}
		if diff := cmp.Diff(planned.Changes, applied.Changes); diff != "" || len(again.Changes) > 0 {
			t.Errorf("planned and applied differ (-planned +applied):\n%s", diff)
		}
	}
}

// Where approvals are needed, apply opens one change request, keeps it current, and applies it once it is approved.
func TestApplyThroughApprovals(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create prod")
	dir := files(t, map[string]string{"a.json": `{"flags":{"banner":` + banner + `}}}`})
	apply := "apply -f " + dir + " -e prod --source shop"
	contains(t, a.as("editor", 0, apply+" --dry-run"), "approvals needed: 1")
	first := a.as("editor", 7, apply)
	id, hash := wordAfter(t, first, "change request "), wordAfter(t, first, "hash ")
	if again := a.as("editor", 7, apply); wordAfter(t, again, "change request ") != id || wordAfter(t, again, "hash ") != hash {
		t.Errorf("the second run changed the request:\n%s%s", first, again)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.json"), []byte(`{"flags":{"more":`+banner+`}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	updated := a.as("editor", 7, apply)
	if wordAfter(t, updated, "change request ") != id || wordAfter(t, updated, "hash ") == hash {
		t.Errorf("other files did not update the request:\n%s%s", first, updated)
	}
	hash = wordAfter(t, updated, "hash ")
	a.as("approver", 0, "request approve "+id+" -e prod --hash "+hash)
	contains(t, a.as("editor", 0, apply), "applied to prod: 2 added: revision ")
	contains(t, a.as("editor", 0, apply), "nothing to do")
	if requests := a.as("editor", 0, "request list -e prod"); strings.Count(requests, "\n") != 2 {
		t.Errorf("there is more than one request:\n%s", requests)
	}

	// Rejected is refused, and waiting ends.
	if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	waits := a.as("editor", 7, apply+yes+" --wait --timeout 1500ms -o json")
	var said struct {
		Result, Request string
		Changes         []struct{ Done, Key, State string }
	}
	if err := json.NewDecoder(strings.NewReader(waits)).Decode(&said); err != nil || said.Result != "pending" || len(said.Changes) != 1 || said.Changes[0].Done != "deleted" || said.Changes[0].State != "pending" {
		t.Errorf("%v: %+v of %s", err, said, waits)
	}
	outputs := make(chan string)
	go func() {
		code, output := run(t.Context(), a.address, "editor", "", strings.Fields(apply+yes+" --wait --timeout 1m")...)
		outputs <- fmt.Sprintf("exit %d\n%s", code, output)
	}()
	refused := ""
	for refused == "" {
		select {
		case refused = <-outputs:
		case <-time.After(20 * time.Millisecond):
			if id, _, open := a.openRequest(); open { // the one that waits, or another one if that was rejected before the files were looked at
				a.as("approver", 0, "request reject "+id+" -e prod -m not~now")
			}
		}
	}
	contains(t, refused, "exit 3", "is rejected")

	go func() {
		code, output := run(t.Context(), a.address, "editor", "", strings.Fields(apply+yes+" --wait --timeout 1m")...)
		outputs <- fmt.Sprintf("exit %d\n%s", code, output)
	}()
	for {
		if id, hash, open := a.openRequest(); open {
			a.as("approver", 0, "request approve "+id+" -e prod --hash "+hash)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	contains(t, <-outputs, "exit 0", "1 deleted", "no sidecar has reported")
}

// openRequest returns the one change request of prod that is open.
func (a applier) openRequest() (id, hash string, open bool) {
	a.t.Helper()
	var list struct{ Items []struct{ ID, Hash string } }
	if err := json.Unmarshal([]byte(a.as("editor", 0, "request list -e prod --status open -o json")), &list); err != nil {
		a.t.Fatal(err)
	}
	if len(list.Items) != 1 {
		return "", "", false
	}
	return list.Items[0].ID, list.Items[0].Hash, true
}

// What is exported is applied without a change, and exported again as the same bytes, with the comments of the file.
func TestExport(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	a.as("admin", 0, "environment create other")
	const original = "# The shop's flags\nmetadata:\n  flagSetId: shop # for all\n$evaluators:\n  # who works here\n  staff: {in: [{var: email}, [ann]]}\nflags:\n" +
		"  banner:\n    # on since June\n    state: ENABLED\n    variants: {on: true, \"off\": 1.0}\n    defaultVariant: on # careful\n"
	mixed := strings.Replace(original, `"off": 1.0`, `"off": false`, 1)
	dir := files(t, map[string]string{"f.yaml": mixed})
	file := filepath.Join(dir, "f.yaml")
	a.as("admin", 0, "apply -f "+file+" -e team --source shop")
	contains(t, a.as("viewer", 0, "export -e team -o "+file), "says what team is already")
	a.as("editor", 0, "flag create added --bool -e team")
	patch := filepath.Join(files(t, map[string]string{"p.json": `{"defaultVariant":"off"}`}), "p.json")
	a.as("editor", 0, "flag patch banner -e team -f "+patch)
	contains(t, a.as("viewer", 0, "export -e team -o "+file), "4 documents are of team")
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(mixed, "flags:\n", "flags:\n  added:\n    state: \"ENABLED\"\n    variants:\n      \"on\": true\n      \"off\": false\n    defaultVariant: \"off\"\n", 1)
	want = strings.Replace(want, "defaultVariant: on #", "defaultVariant: \"off\" #", 1)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	for _, name := range []string{"new.yaml", "new.json"} {
		name = filepath.Join(dir, name)
		a.as("viewer", 0, "export -e team -o "+name)
		first, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, a.as("viewer", 0, "export -e team -o "+name), "already")
		a.as("editor", 0, "apply -f "+name+" -e team --source shop") // owns what was added by hand
		contains(t, a.as("editor", 0, "apply -f "+name+" -e team --source shop"), "nothing to do")
		a.as("admin", 0, "apply -f "+name+" -e other --source shop")
		stdout := a.as("viewer", 0, "export -e other --format "+strings.TrimPrefix(filepath.Ext(name), "."))
		if diff := cmp.Diff(string(first), stdout); diff != "" {
			t.Errorf("%s of the other environment (-first +second):\n%s", name, diff)
		}
	}
	contains(t, a.as("viewer", 0, "export -e team --source elsewhere"), `"flags": {}`)
}

// A change request of apply is known by the name of its files: others of the same token stay as they are, and it goes when the files no longer want it.
func TestApplyKnowsItsOwnRequest(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create prod")
	name := filepath.Join(files(t, map[string]string{"a.json": `{"flags":{"banner":` + banner + `},"old":` + banner + `}}}`}), "a.json")
	write := func(flags string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(`{"flags":{`+flags+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := "apply -f " + name + " -e prod --source shop"
	id := wordAfter(t, a.as("editor", 7, apply), "change request ")
	contains(t, a.as("editor", 0, "request get "+id+" -e prod"), "shop")
	a.as("approver", 0, "request approve "+id+" -e prod --hash "+wordAfter(t, a.as("editor", 7, apply), "hash "))
	a.as("editor", 0, apply)

	// One of the same token that changes what the source owns, and deletes what it owns, stays.
	hand := wordAfter(t, a.as("editor", 0, "flag toggle banner off -e prod --propose"), "change request ")
	gone := wordAfter(t, a.as("editor", 0, "flag delete old -e prod --propose"), "change request ")
	same := func() {
		t.Helper()
		contains(t, a.as("editor", 0, "request get "+hand+" -e prod"), "status", "open", "DISABLED")
		contains(t, a.as("editor", 0, "request get "+gone+" -e prod"), "status", "open")
	}
	contains(t, a.as("editor", 0, apply), "nothing to do")
	same()
	write(`"banner":` + banner + `,"owner":"x"},"old":` + banner + `}`)
	own := wordAfter(t, a.as("editor", 7, apply), "change request ")
	if own == hand || own == gone {
		t.Error("apply took a request that it did not open")
	}
	same()

	contains(t, a.as("editor", 0, "request rebase "+own+" -e prod"), own) // and it stays the request of the source

	// One that only deletes is the source's own, too: it is updated, and not joined by another.
	write(`"banner":` + banner + `}`)
	if again := wordAfter(t, a.as("editor", 7, apply+yes), "change request "); again != own {
		t.Errorf("deleting opened %s beside %s", again, own)
	}
	write(`"banner":` + banner + `,"owner":"y"}`)
	if again := wordAfter(t, a.as("editor", 7, apply), "change request "); again != own {
		t.Errorf("changing opened %s beside %s, which deletes only", again, own)
	}

	// The files are as the environment again.
	write(`"banner":` + banner + `},"old":` + banner + `}`)
	contains(t, a.as("editor", 0, apply+" --dry-run"), "nothing to do")
	contains(t, a.as("editor", 0, "request get "+own+" -e prod"), "open")
	contains(t, a.as("editor", 0, apply), "nothing to do", "change request "+own+" is withdrawn")
	contains(t, a.as("editor", 0, "request get "+own+" -e prod"), "withdrawn", "Nothing that it changes")
	same()
	if output := a.as("editor", 0, apply); strings.Contains(output, "withdrawn") {
		t.Errorf("it is withdrawn twice: %s", output)
	}
}

// A file that export cannot read, or has nothing to put into, stays as it is. One that it writes keeps its permissions and the link that leads to it.
func TestExportSparesFiles(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	a.as("editor", 0, "flag create added --bool -e team")
	dir := files(t, map[string]string{"broken.yaml": "flags:\n  a: [\n", "broken.json": `{"flags":`, "good.yaml": "flags: {} # none\n", "empty.json": ""})
	content := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, place := range map[string]string{"broken.yaml": "broken.yaml:2:6: ", "broken.json": "broken.json:1:10: "} {
		before := content(name)
		contains(t, a.as("viewer", 9, "export -e team -o "+filepath.Join(dir, name)), place, "stays as it is")
		if after := content(name); after != before {
			t.Errorf("%s has become %s", name, after)
		}
	}
	good, link := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "link.yaml")
	contains(t, a.as("viewer", 5, "export -e team --source elsewhere -o "+good), "the source elsewhere owns nothing in team")
	contains(t, a.as("viewer", 2, "export -e team --source no~one -o "+good), "the name of a source")
	contains(t, a.as("viewer", 1, "export -e team -o "+dir), "no regular file")
	if after := content("good.yaml"); after != "flags: {} # none\n" {
		t.Errorf("a source without flags made it %s", after)
	}
	if err := errors.Join(os.Chmod(good, 0o640), os.Symlink("good.yaml", link)); err != nil {
		t.Fatal(err)
	}
	a.as("viewer", 0, "export -e team -o "+link)
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	if info, err = os.Stat(good); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file became %v, %v", info, err)
	}
	contains(t, content("good.yaml"), "added:")
	a.as("viewer", 0, "export -e team -o "+filepath.Join(dir, "empty.json"))
	contains(t, content("empty.json"), `"added"`)
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What a lifecycle policy has frozen stays frozen while the files say what it would freeze again: an apply changes the rest, and says so. It goes on
// when the files give the flag more time, or say the same.
func TestApplyKeepsWhatIsFrozen(t *testing.T) {
	t.Parallel()
	a := applier{t, serve(t)}
	a.as("admin", 0, "environment create team")
	dir := t.TempDir()
	write := func(expires, more string) {
		t.Helper()
		text := `{"flags":{"banner":` + banner + more + `},"ab":` + banner + `,"kind":"experiment","expires":"` + expires + `","targeting":{"fractional":[["on",50],["off",50]]}}}}`
		if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("2020-01-31", "")
	apply := "apply -f " + dir + " -e team --source shop"
	a.as("editor", 0, apply)
	contains(t, a.as("admin", 0, "environment lifecycle team --on-expiry experiment=freeze"), "ab")
	flag := func() string { return a.as("editor", 0, "flag get ab -e team -o json") }
	waiting.Until(t, "the flag is frozen", func() bool { return !strings.Contains(flag(), "fractional") })
	frozen := flag()
	contains(t, a.as("editor", 0, apply), "nothing to do", "flag ab stays frozen", "expires")
	contains(t, a.as("editor", 0, apply+" --dry-run"), "nothing to do", "flag ab stays frozen")
	write("2020-01-31", `,"description":"big"`)
	contains(t, a.as("editor", 0, apply+" --dry-run"), "changed: flag banner", "flag ab stays frozen")
	contains(t, a.as("editor", 0, apply+" -o json"), `"frozen": [`, `"ab"`, `"key": "banner"`)
	if got := flag(); got != frozen {
		t.Errorf("the flag became %s, want %s", got, frozen)
	}
	contains(t, a.as("editor", 0, apply+" --prune"), "nothing to do", "flag ab stays frozen")
	write("2999-01-31", "")
	contains(t, a.as("editor", 0, apply), "changed: flag", "2999-01-31")
	contains(t, flag(), "fractional", "2999-01-31")
}
