package charttest

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
)

// planOf returns the plan of the Job as its program reads it; "" if there is no Job.
func planOf(r Rendered) string {
	for _, m := range Of[*core.ConfigMap](r) {
		if plan, ok := m.Data["provision.json"]; ok {
			return plan
		}
	}
	return ""
}

// The program that the Job runs takes the plan that the chart makes, of whatever values.
func TestProvisionTakesThePlan(t *testing.T) {
	dir, plans := programs(t), 0
	for name, r := range renderedExamples(t) {
		plan := planOf(r)
		if plan == "" {
			continue
		}
		plans++
		file := filepath.Join(t.TempDir(), "provision.json")
		write(t, file, plan)
		command := exec.Command(filepath.Join(dir, "publisher"), "provision", "--file", file, "--check")
		command.Env = []string{}
		if output, err := command.CombinedOutput(); err != nil && !strings.Contains(string(output), "KUBERNETES_SERVICE_HOST") {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
	if plans < 6 {
		t.Errorf("%d plans", plans)
	}
}

// secretRef is a member of a plan that names a Secret.
type secretRef struct {
	Secret     string
	Existing   bool
	Namespaces []string
}

// The Job may replace exactly the Secrets that it is told to make, and read those that it is told to read.
func TestProvisionMayDoWhatItIsTold(t *testing.T) {
	for name, r := range renderedExamples(t) {
		if planOf(r) == "" {
			continue
		}
		var plan struct {
			Authority, Keys, RootKey, AdminToken, Users, NATSAuthority secretRef
			Certificates, Sidecars                                     []secretRef
		}
		if err := json.Unmarshal([]byte(planOf(r)), &plan); err != nil {
			t.Fatal(err)
		}
		made, read := make(map[string]bool), make(map[string]bool)
		for _, ref := range append(plan.Certificates, plan.Authority, plan.Keys, plan.RootKey, plan.AdminToken, plan.Users) {
			if ref.Secret != "" && !ref.Existing {
				made[Namespace+"/"+ref.Secret] = true
			}
			if ref.Existing {
				read[Namespace+"/"+ref.Secret] = true
			}
		}
		if at := Namespace + "/" + plan.NATSAuthority.Secret; plan.NATSAuthority.Secret != "" && !made[at] {
			read[at] = true
		}
		for _, s := range plan.Sidecars {
			for _, namespace := range s.Namespaces {
				made[namespace+"/"+s.Secret] = true
			}
		}
		mayReplace, mayRead := make(map[string]bool), make(map[string]bool)
		for _, role := range Of[*rbac.Role](r) {
			for _, rule := range role.Rules {
				for _, secret := range rule.ResourceNames {
					if slices.Contains(rule.Verbs, "update") {
						mayReplace[role.Namespace+"/"+secret] = true
					} else {
						mayRead[role.Namespace+"/"+secret] = true
					}
				}
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(mayReplace))); diff != "" {
			t.Errorf("%s (-is told to make +may replace):\n%s", name, diff)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(read)), slices.Sorted(maps.Keys(mayRead))); diff != "" {
			t.Errorf("%s (-is told to read +may read):\n%s", name, diff)
		}
	}
}
