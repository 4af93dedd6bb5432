package charttest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const inject = "flagside.dev/inject"

// compiled returns the policy of the chart.
func compiled(t *testing.T) *Policy {
	t.Helper()
	values, err := Values(filepath.Join(Chart, "examples", "injection.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Render(values)
	if err != nil {
		t.Fatal(err)
	}
	policies := Of[*admissionregistration.MutatingAdmissionPolicy](r)
	if len(policies) != 1 {
		t.Fatalf("%d policies", len(policies))
	}
	p, err := Compile(policies[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func namespace(labels map[string]string) *core.Namespace {
	return &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
}

// application returns a pod that asks for a sidecar, as the API server sees it when policies are applied.
func application(change ...func(*core.Pod)) *core.Pod {
	pod := &core.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-1", Namespace: "shop", Labels: map[string]string{"app": "shop", inject: "enabled"}},
		Spec: core.PodSpec{
			Containers: []core.Container{{Name: "shop", Image: "shop:1", VolumeMounts: []core.VolumeMount{{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}}}},
			Volumes:    []core.Volume{{Name: "token"}},
		},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func admit(t *testing.T, p *Policy, pod *core.Pod) *core.Pod {
	t.Helper()
	admitted, matched, err := p.Admit(t.Context(), pod, namespace(map[string]string{inject: "enabled"}))
	if err != nil {
		t.Fatal(err)
	}
	if !matched {
		t.Fatal("the policy was not about the pod")
	}
	return admitted
}

// verifyInjected looks at what every injected pod must have.
func verifyInjected(t *testing.T, pod *core.Pod, environment string) core.Container {
	t.Helper()
	if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != "flagside-sidecar" {
		t.Fatalf("the first init container is not the sidecar: %+v", pod.Spec.InitContainers)
	}
	sidecar := pod.Spec.InitContainers[0]
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != core.ContainerRestartPolicyAlways {
		t.Error("the sidecar is no native one")
	}
	verifyContainer(t, "shop", sidecar, false)
	for _, name := range []string{"flagside-socket", "flagside-data", "flagside-no-token", "flagside-credentials"} {
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v core.Volume) bool { return v.Name == name }) {
			t.Errorf("the pod has no volume %s", name)
		}
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName != "flags-flagside-sidecar-"+environment {
			t.Errorf("the credentials are %s, not those of %s", v.Secret.SecretName, environment)
		}
	}
	if got := variable(sidecar, "FLAGSIDE_ENVIRONMENT"); got != environment {
		t.Errorf("the sidecar is of %q, not %q", got, environment)
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == "mesh-proxy" {
			continue
		}
		if variable(c, "OFREP_ENDPOINT") == "" || variable(c, "FLAGD_PORT") == "" || variable(c, "FLAGD_HOST") == "" {
			t.Errorf("%s is not told where the sidecar is: %v", c.Name, c.Env)
		}
		if !slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "flagside-socket" && m.ReadOnly }) {
			t.Errorf("%s has no socket: %v", c.Name, c.VolumeMounts)
		}
		if slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "flagside-credentials" }) {
			t.Errorf("%s sees the sidecar's credentials", c.Name)
		}
	}
	return sidecar
}

func variable(c core.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

func TestPolicy(t *testing.T) {
	p := compiled(t)

	t.Run("a pod that asks", func(t *testing.T) {
		pod := admit(t, p, application())
		sidecar := verifyInjected(t, pod, "prod")
		if !slices.Contains(sidecar.Args, "--context-from-header=X-Country=country") {
			t.Errorf("the arguments are %v", sidecar.Args)
		}
		if len(pod.Spec.Containers[0].VolumeMounts) != 2 || len(pod.Spec.Volumes) != 5 {
			t.Errorf("what the pod had is gone: %v %v", pod.Spec.Containers[0].VolumeMounts, pod.Spec.Volumes)
		}
	})
	t.Run("twice", func(t *testing.T) {
		once := admit(t, p, application())
		twice, matched, err := p.Admit(t.Context(), once, namespace(map[string]string{inject: "enabled"}))
		if err != nil || matched || len(twice.Spec.InitContainers) != 1 {
			t.Errorf("applied again: matched %v, %v", matched, err)
		}
	})
	t.Run("with init containers", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) {
			pod.Spec.InitContainers = []core.Container{{Name: "migrate", Image: "shop:1"}, {Name: "warm", Image: "shop:1"}}
		}))
		verifyInjected(t, pod, "prod")
		if len(pod.Spec.InitContainers) != 3 || pod.Spec.InitContainers[1].Name != "migrate" || pod.Spec.InitContainers[2].Name != "warm" {
			t.Errorf("the init containers are %v", pod.Spec.InitContainers)
		}
	})
	t.Run("without volumes", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) {
			pod.Spec.Volumes, pod.Spec.Containers[0].VolumeMounts = nil, nil
		}))
		verifyInjected(t, pod, "prod")
		if len(pod.Spec.Volumes) != 4 {
			t.Errorf("the volumes are %v", pod.Spec.Volumes)
		}
	})
	t.Run("with a mesh proxy", func(t *testing.T) {
		pod := admit(t, p, application())
		// The webhook of a mesh comes after policies, and puts its proxy first; then the policy is asked again.
		always := core.ContainerRestartPolicyAlways
		pod.Spec.InitContainers = slices.Insert(pod.Spec.InitContainers, 0, core.Container{Name: "mesh-proxy", Image: "mesh:1", RestartPolicy: &always})
		again, matched, err := p.Admit(t.Context(), pod, namespace(map[string]string{inject: "enabled"}))
		if err != nil || matched {
			t.Fatalf("asked again: matched %v, %v", matched, err)
		}
		var order []string
		for _, c := range again.Spec.InitContainers {
			order = append(order, c.Name)
		}
		if got := strings.Join(order, " "); got != "mesh-proxy flagside-sidecar" {
			t.Errorf("the order is %s", got)
		}
	})
	t.Run("several containers", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, core.Container{Name: "worker", Image: "worker:1"})
		}))
		verifyInjected(t, pod, "prod")
	})
	t.Run("what the application says itself", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) {
			pod.Spec.Containers[0].Env = []core.EnvVar{{Name: "OFREP_ENDPOINT", Value: "http://127.0.0.1:9999"}, {Name: "MODE", Value: "x"}}
		}))
		c := pod.Spec.Containers[0]
		if variable(c, "OFREP_ENDPOINT") != "http://127.0.0.1:9999" || variable(c, "MODE") != "x" || variable(c, "FLAGD_PORT") != "8013" {
			t.Errorf("the variables are %v", c.Env)
		}
	})
	t.Run("of another environment", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) { pod.Labels["flagside.dev/environment"] = "staging" }))
		verifyInjected(t, pod, "staging")
	})
	t.Run("of a job", func(t *testing.T) {
		pod := admit(t, p, application(func(pod *core.Pod) { pod.Spec.RestartPolicy = core.RestartPolicyNever }))
		verifyInjected(t, pod, "prod") // a native sidecar does not keep a Job from ending
		if pod.Spec.RestartPolicy != core.RestartPolicyNever {
			t.Errorf("the pod is restarted %s", pod.Spec.RestartPolicy)
		}
	})
	for name, one := range map[string]struct{ pod, namespace map[string]string }{
		"a pod that does not ask":       {map[string]string{"app": "shop"}, map[string]string{inject: "enabled"}},
		"a pod that asks not to":        {map[string]string{inject: "disabled"}, map[string]string{inject: "enabled"}},
		"a namespace without the label": {map[string]string{inject: "enabled"}, nil},
		"a namespace that asks not to":  {map[string]string{inject: "enabled"}, map[string]string{inject: "disabled"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod, matched, err := p.Admit(t.Context(), application(func(pod *core.Pod) { pod.Labels = one.pod }), namespace(one.namespace))
			if err != nil || matched || len(pod.Spec.InitContainers) != 0 || len(pod.Spec.Containers[0].Env) != 0 {
				t.Errorf("matched %v, %v: %+v", matched, err, pod.Spec)
			}
		})
	}
}

// Without what makes them good, policies fail as facts say: the tests above would see it.
func TestBadPolicies(t *testing.T) {
	policy := func(m admissionregistration.Mutation) *admissionregistration.MutatingAdmissionPolicy {
		fail := admissionregistration.Fail
		return &admissionregistration.MutatingAdmissionPolicy{Spec: admissionregistration.MutatingAdmissionPolicySpec{
			FailurePolicy: &fail, MatchConstraints: &admissionregistration.MatchResources{ObjectSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{}},
			Mutations: []admissionregistration.Mutation{m},
		}}
	}
	apply := func(expression string) *admissionregistration.MutatingAdmissionPolicy {
		return policy(admissionregistration.Mutation{PatchType: admissionregistration.PatchTypeApplyConfiguration, ApplyConfiguration: &admissionregistration.ApplyConfiguration{Expression: expression}})
	}
	patch := func(expression string) *admissionregistration.MutatingAdmissionPolicy {
		return policy(admissionregistration.Mutation{PatchType: admissionregistration.PatchTypeJSONPatch, JSONPatch: &admissionregistration.JSONPatch{Expression: expression}})
	}
	for name, one := range map[string]*admissionregistration.MutatingAdmissionPolicy{
		"arguments by an apply configuration": apply(`Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "s", image: "s", args: ["a"]}]}}`),
		"a map of several types":              patch(`[JSONPatch{op: "add", path: "/spec/initContainers", value: [{"name": "s", "args": ["a"]}]}]`),
		"a name that does not exist":          patch(`[JSONPatch{op: "add", path: "/spec/initContainers/0", value: variables.nothing}]`),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(one)
			if err == nil {
				_, _, err = p.Admit(t.Context(), application(), namespace(nil))
			}
			if err == nil {
				t.Error("it was accepted")
			}
		})
	}
}
