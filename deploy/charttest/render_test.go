package charttest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
)

// Every file of example values renders to objects that Kubernetes knows, which keep the rules of the house.
func TestExamples(t *testing.T) {
	for name, r := range renderedExamples(t) {
		t.Run(name, func(t *testing.T) { invariants(t, r) })
	}
}

// renderedExamples returns what the chart makes of each file of example values, by its name.
func renderedExamples(t *testing.T) map[string]Rendered {
	t.Helper()
	files, err := Examples()
	if err != nil || len(files) < 8 {
		t.Fatalf("%d example files, %v", len(files), err)
	}
	all := make(map[string]Rendered)
	for _, file := range files {
		values, err := Values(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Render(values)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = r
	}
	return all
}

func TestDefaults(t *testing.T) {
	r, err := Render(nil)
	if err != nil {
		t.Fatal(err)
	}
	invariants(t, r)
	if len(Of[*apps.StatefulSet](r)) != 1 || len(Of[*apps.Deployment](r)) != 0 {
		t.Error("the default is one publisher with a volume")
	}
}

// The console is on unless it is switched off.
func TestConsoleIsSwitchedOff(t *testing.T) {
	for enabled, want := range map[bool]bool{true: false, false: true} {
		r, err := Render(map[string]any{"console": map[string]any{"enabled": enabled}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(r.Text, "--console=false"); got != want {
			t.Errorf("enabled %t: switched off %t", enabled, got)
		}
	}
}

// invariants are what holds for whatever values.
func invariants(t *testing.T, r Rendered) {
	t.Helper()
	for _, o := range r.Objects {
		labels := o.GetLabels()
		for _, name := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "helm.sh/chart"} {
			if labels[name] == "" {
				t.Errorf("%T %s has no label %s", o, o.GetName(), name)
			}
		}
		if len(o.GetName()) > 63 {
			t.Errorf("%T has the name %s, which is too long", o, o.GetName())
		}
		if _, secret := o.(*core.Secret); secret {
			t.Errorf("the chart renders the Secret %s: what is rendered is in the release's history, and in git", o.GetName())
		}
	}
	for name, pod := range r.Pods() {
		verifyPod(t, name, pod)
	}
	verifySelectors(t, r)
	verifyRoles(t, r)
	if !strings.Contains(r.Notes, "flagside environment create") {
		t.Errorf("the notes do not say what to do next: %s", r.Notes)
	}
	if told, made := strings.Contains(r.Notes, "admin-token"), strings.Contains(r.Text, "admin-token"); told && !made {
		t.Errorf("the notes read a Secret that is not there: %s", r.Notes)
	}
	for _, secret := range []string{"PRIVATE KEY", "SUA", "password"} {
		if strings.Contains(r.Text, secret) {
			t.Errorf("%q is in the manifests", secret)
		}
	}
}

// followsObjects reports whether a pod is that of a publisher that follows the objects of a namespace.
func followsObjects(pod core.PodTemplateSpec) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--source=") && strings.Contains(arg, "=kubernetes:")
	})
}

// isOurs reports whether an image is one of ours, and not one that values add.
func isOurs(image string) bool { return strings.HasPrefix(image, "flagside/") }

// verifyPod holds a pod to the profile restricted; the DaemonSet's is root without capabilities, because the node's directory is root's.
func verifyPod(t *testing.T, name string, pod core.PodTemplateSpec) {
	t.Helper()
	node := strings.HasSuffix(name, "-node")
	if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token && !strings.HasSuffix(name, "-provision") && !followsObjects(pod) {
		t.Errorf("%s may speak to the API server", name)
	}
	if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
		t.Errorf("%s: variables of Services could be taken for options", name)
	}
	mounted := make(map[string]bool)
	for _, v := range pod.Spec.Volumes {
		mounted[v.Name] = true
		if v.HostPath != nil && !node {
			t.Errorf("%s has a volume of the node", name)
		}
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		verifyContainer(t, name, c, node)
		for _, m := range c.VolumeMounts {
			if !mounted[m.Name] && m.Name != "data" {
				t.Errorf("%s/%s mounts %s, which is no volume of the pod", name, c.Name, m.Name)
			}
		}
	}
}

func verifyContainer(t *testing.T, pod string, c core.Container, root bool) {
	t.Helper()
	at := pod + "/" + c.Name
	s := c.SecurityContext
	switch {
	case s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem:
		t.Errorf("%s may write to its image", at)
	case s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, s.Privileged == nil || *s.Privileged:
		t.Errorf("%s may gain privileges", at)
	case s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
		t.Errorf("%s has capabilities", at)
	case s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
		t.Errorf("%s has no seccomp profile", at)
	case !root && (s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser != 65532):
		t.Errorf("%s does not run as 65532", at)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() || !c.Resources.Limits.Cpu().IsZero() {
		t.Errorf("%s: resources are %v: requests, a limit of memory and none of processor are wanted", at, c.Resources)
	}
	for name, probe := range map[string]*core.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe} {
		if isOurs(c.Image) && !strings.HasSuffix(pod, "-provision") && (probe == nil || probe.Exec == nil) {
			t.Errorf("%s has no %s probe by exec, which needs no port and passes every mesh", at, name)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			t.Errorf("%s has a Secret in the variable %s: secrets are files", at, e.Name)
		}
	}
}

// verifySelectors looks for pods that a Service, a budget or a network policy selects without being meant.
func verifySelectors(t *testing.T, r Rendered) {
	t.Helper()
	for _, s := range Of[*core.Service](r) {
		selected := 0
		for _, pod := range r.Pods() {
			if within(s.Spec.Selector, pod.Labels) {
				selected++
			}
		}
		if selected != 1 {
			t.Errorf("the Service %s selects the pods of %d controllers", s.Name, selected)
		}
		for _, p := range s.Spec.Ports {
			if p.AppProtocol != nil {
				t.Errorf("the Service %s has an appProtocol, which meshes misread", s.Name)
			}
			if strings.Contains(p.Name, "nats") && p.Name != "tcp-nats" {
				t.Errorf("the Service %s has the port %s: tcp-nats tells meshes that it is no HTTP", s.Name, p.Name)
			}
		}
	}
	var all []map[string]string
	for _, o := range Of[*apps.StatefulSet](r) {
		all = append(all, o.Spec.Selector.MatchLabels)
	}
	for _, o := range Of[*apps.DaemonSet](r) {
		all = append(all, o.Spec.Selector.MatchLabels)
	}
	for i, one := range all {
		for j, other := range all {
			if i != j && within(one, other) {
				t.Errorf("the selectors %v and %v take in the same pods", one, other)
			}
		}
	}
}

func within(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

// verifyRoles makes sure that only the Job may touch Secrets, and only those that it makes; and that the publisher may do nothing but read FeatureFlag
// objects and write Events, where it follows objects.
func verifyRoles(t *testing.T, r Rendered) {
	t.Helper()
	for _, role := range Of[*rbac.Role](r) {
		if strings.HasSuffix(role.Name, "-sources") {
			want := []rbac.PolicyRule{
				{APIGroups: []string{"core.openfeature.dev"}, Resources: []string{"featureflags"}, Verbs: []string{"get", "list", "watch"}},
				{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
			}
			if diff := cmp.Diff(want, role.Rules); diff != "" {
				t.Errorf("the Role %s/%s: %s", role.Namespace, role.Name, diff)
			}
			continue
		}
		for _, rule := range role.Rules {
			creates := slices.Equal(rule.Verbs, []string{"create"})
			if !slices.Equal(rule.Resources, []string{"secrets"}) || !creates && len(rule.ResourceNames) == 0 {
				t.Errorf("the Role %s/%s may %v %v %v", role.Namespace, role.Name, rule.Verbs, rule.Resources, rule.ResourceNames)
			}
		}
	}
	for _, binding := range Of[*rbac.RoleBinding](r) {
		of := r.accountOf(strings.TrimSuffix(binding.Name, "-sources"))
		if binding.RoleRef.Name != binding.Name || len(binding.Subjects) != 1 || binding.Subjects[0].Name != of || binding.Subjects[0].Namespace != Namespace {
			t.Errorf("the RoleBinding %s is for %v, and not for the service account %q", binding.Name, binding.Subjects, of)
		}
	}
}

// accountOf returns the service account of the pod of a name.
func (r Rendered) accountOf(name string) string { return r.Pods()[name].Spec.ServiceAccountName }

// What cannot work is refused while it is rendered, with what to do.
func TestRefusals(t *testing.T) {
	for name, one := range map[string]struct {
		values map[string]any
		want   string
	}{
		"two embedded publishers":      {map[string]any{"publisher": map[string]any{"replicas": 2}}, "set nats.url"},
		"external without credentials": {map[string]any{"nats": map[string]any{"url": "tls://nats:4222"}}, "nats.existingSecret"},
		"an unknown value":             {map[string]any{"replicaCount": 2}, "replicaCount"},
		"an unknown value below":       {map[string]any{"publisher": map[string]any{"replica": 2}}, "replica"},
		"an environment with capitals": {map[string]any{"environments": []any{map[string]any{"name": "Prod"}}}, "environments"},
		"monitoring without a token":   {map[string]any{"metrics": map[string]any{"serviceMonitor": map[string]any{"enabled": true}}}, "token create"},
		"sidecars on loopback":         {map[string]any{"metrics": map[string]any{"podMonitor": map[string]any{"enabled": true}}}, "managementAddress"},
		"a mode that is none":          {map[string]any{"injection": map[string]any{"mode": "webhook"}}, "injection"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(one.values)
			if err == nil || !strings.Contains(err.Error(), one.want) {
				t.Errorf("got %v, want an error with %q", err, one.want)
			}
		})
	}
}

// The policy of injection is there where the API server has its kind, or where it is asked for.
func TestInjectionModes(t *testing.T) {
	const api = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
	for _, one := range []struct {
		mode string
		apis []string
		want int
	}{{"off", []string{api}, 0}, {"auto", nil, 0}, {"auto", []string{api}, 1}, {"policy", nil, 1}} {
		r, err := Render(map[string]any{"injection": map[string]any{"mode": one.mode}}, one.apis...)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(r.Text, "kind: MutatingAdmissionPolicy\n"); got != one.want {
			t.Errorf("%s with %v: %d policies, want %d", one.mode, one.apis, got, one.want)
		}
		if warned := strings.Contains(r.Notes, "WARNING"); warned != (one.mode == "auto" && one.want == 0) {
			t.Errorf("%s with %v: the notes warn: %v", one.mode, one.apis, warned)
		}
	}
}
