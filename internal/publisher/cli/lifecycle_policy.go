package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

// lifecycleChange are the members of a lifecycle policy that options change; empty ones stay.
type lifecycleChange struct {
	expiringDays, staleDays string
	onExpiry, freezeTo      []string // KIND=ACTION, KIND=VARIANT
}

func environmentLifecycle() commandline.Invocation {
	var change lifecycleChange
	var dry bool
	f := newForm("environment lifecycle", "Prints the lifecycle policy of an environment, with the flags that it wants something of now, and changes what you give as "+
		"options. Without a policy expired flags are only reported. Flags of kind ops are kill switches and are never touched.").named("name of the environment")
	r := f.remarks()
	f.set.String(&change.expiringDays, "expiring-days", "", "how many days before its expires a flag is expiring, 0 to 3650")
	f.set.String(&change.staleDays, "stale-days", "", "after how many days without a change a flag is stale that gives everyone the same, 1 to 3650")
	f.set.List(&change.onExpiry, "on-expiry", nil, "what becomes of expired flags, as KIND=ACTION: kinds are experiment, permission and release, actions report, freeze and propose-removal")
	f.set.List(&change.freezeTo, "freeze-to", nil, "what flags are frozen to, as KIND=VARIANT: defaultVariant (without this option), offVariant, or the name of a variant")
	f.set.Bool(&dry, "dry-run", false, "show what the policy would want now, and change nothing")
	f.check(func() bool { return change.numbers() }, "--expiring-days and --stale-days are numbers")
	f.check(func() bool { return change.pairs() }, "--on-expiry and --freeze-to are lists of KIND=VALUE, such as experiment=freeze")
	f.check(func() bool { return !dry || !change.isZero() }, "--dry-run shows what a change would do: give one")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.lifecyclePolicy(ctx, f.environment, change, dry, r)
		return s.answer(found, err, func(out io.Writer) error { return printLifecyclePolicy(out, found) })
	})
}

// lifecyclePolicy returns the policy of an environment, after what is to be changed has been changed.
func (s *session) lifecyclePolicy(
	ctx context.Context, environment string, change lifecycleChange, dry bool, a *auditFlags,
) (found api.LifecyclePolicyResult, err error) {
	if change.isZero() {
		return s.client.LifecyclePolicy(ctx, environment)
	}
	patch, err := change.patch()
	switch {
	case err != nil:
		return found, err
	case dry:
		return s.client.PreviewLifecyclePolicy(ctx, environment, patch)
	default:
		return s.client.PatchLifecyclePolicy(ctx, environment, patch, a.headers())
	}
}

func printLifecyclePolicy(out io.Writer, found api.LifecyclePolicyResult) error {
	lines := []detail{{"expiring days", decimal(found.Policy.ExpiringDays)}, {"stale days", decimal(found.Policy.StaleDays)}}
	for _, kind := range []string{"experiment", "permission", "release"} {
		rule := found.Policy.OnExpiry[kind]
		text := "report"
		if rule.Action != "" {
			text = words(rule.Action, toVariant(rule))
		}
		lines = append(lines, detail{"expired " + kind, text})
	}
	if err := details(lines...)(out); err != nil {
		return err
	}
	if len(found.Flags) == 0 {
		_, err := io.WriteString(out, "\nit wants nothing of any flag now\n")
		return err
	}
	if _, err := io.WriteString(out, "\n"); err != nil {
		return err
	}
	return list("KEY|KIND|OWNER|EXPIRED|EVERYONE GETS|POLICY", found.Flags, func(l api.FlagLifecycle) []string {
		return []string{cell(l.Key), cell(l.Kind), cell(l.Owner), dayCell(l.Since), forEveryone(l), policyCell(l)}
	})(out)
}

func toVariant(rule api.OnExpiry) string {
	switch {
	case rule.Action != "freeze":
		return ""
	case rule.FreezeTo == "":
		return "to defaultVariant"
	default:
		return "to " + rule.FreezeTo
	}
}

func (c lifecycleChange) isZero() bool {
	return c.expiringDays == "" && c.staleDays == "" && len(c.onExpiry)+len(c.freezeTo) == 0
}

func (c lifecycleChange) numbers() bool {
	for _, text := range []string{c.expiringDays, c.staleDays} {
		var number int
		if text != "" && json.Unmarshal([]byte(text), &number) != nil {
			return false
		}
	}
	return true
}

func (c lifecycleChange) pairs() bool {
	return !slices.ContainsFunc(slices.Concat(c.onExpiry, c.freezeTo), func(text string) bool {
		kind, value, found := strings.Cut(text, "=")
		return !found || kind == "" || value == ""
	})
}

// patch returns the JSON Merge Patch of the change. An action without a variant goes back to the default variant.
func (c lifecycleChange) patch() ([]byte, error) {
	onExpiry := make(map[string]map[string]any)
	set := func(pairs []string, member string, also map[string]any) {
		for _, pair := range pairs {
			kind, value, _ := strings.Cut(pair, "=")
			if onExpiry[kind] == nil {
				onExpiry[kind] = make(map[string]any)
			}
			maps.Copy(onExpiry[kind], also)
			onExpiry[kind][member] = value
		}
	}
	set(c.onExpiry, "action", map[string]any{"freezeTo": nil})
	set(c.freezeTo, "freezeTo", nil)
	patch := make(map[string]any)
	if len(onExpiry) > 0 {
		patch["onExpiry"] = onExpiry
	}
	for name, text := range map[string]string{"expiringDays": c.expiringDays, "staleDays": c.staleDays} {
		if text != "" {
			patch[name] = raw(text)
		}
	}
	return json.Marshal(patch, json.Deterministic(true))
}
