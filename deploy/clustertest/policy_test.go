package clustertest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// tokenVolume has another name in each pod.
var tokenVolume = regexp.MustCompile(`kube-api-access-\w+`)

const injected = "flagside-sidecar"

// application is a pod that is as the profile restricted wants it.
func application(t *testing.T, name, namespace string, labels map[string]any) object {
	t.Helper()
	pod := parse(t, `
apiVersion: v1
kind: Pod
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  initContainers:
    - name: migrate
      image: shop:1
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  containers:
    - name: shop
      image: shop:1
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`)[0]
	pod["metadata"] = map[string]any{"name": name, "namespace": namespace, "labels": labels}
	return pod
}

// containers returns the containers of a list by their names, in order.
func containers(pod object, list string) (names []string, all map[string]object) {
	all = make(map[string]object)
	for _, one := range in[[]any](pod, "spec", list) {
		container := object(one.(map[string]any))
		name := in[string](container, "name")
		names, all[name] = append(names, name), container
	}
	return names, all
}

// The admission policy is accepted, and puts the sidecar into pods that ask for it, in namespaces that allow it, and into no others.
func verifyPolicy(t *testing.T, s *server) string {
	t.Helper()
	objects := rendered(t, "injection.yaml")
	for _, o := range objects {
		if strings.HasPrefix(o.kind(), "MutatingAdmissionPolicy") {
			s.apply(t, o)
			defer s.do(t, http.MethodDelete, o.path(), nil)
		}
	}
	asks := map[string]any{"flagside.dev/inject": "enabled", "flagside.dev/environment": "prod"}
	s.awaitPolicy(t, application(t, "first", "shop", asks))
	for _, untouched := range []object{
		application(t, "silent", "shop", map[string]any{"app": "shop"}),
		application(t, "refuses", "shop", map[string]any{"flagside.dev/inject": "disabled"}),
		application(t, "elsewhere", "elsewhere", asks),
	} {
		if names, _ := containers(s.create(t, untouched), "initContainers"); !slices.Equal(names, []string{"migrate"}) {
			t.Errorf("%s has the init containers %v", untouched, names)
		}
	}
	pod := s.create(t, application(t, "shop-1", "shop", asks))
	verifyInjected(t, pod)
	text, err := yaml.Marshal(in[map[string]any](pod, "spec"))
	if err != nil {
		t.Fatal(err)
	}
	return "```yaml\n" + tokenVolume.ReplaceAllString(string(text), "kube-api-access-12345") + "```\n"
}

// awaitPolicy returns when the server has read the policy, which takes a second.
func (s *server) awaitPolicy(t *testing.T, pod object) {
	t.Helper()
	for range 100 {
		code, answer := s.do(t, http.MethodPost, pod.collection()+"?dryRun=All", pod)
		if code != http.StatusCreated {
			t.Fatalf("%s: %d %s", pod, code, in[string](answer, "message"))
		}
		if _, found := containers(answer, "initContainers"); found[injected] != nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("the policy puts nothing into pods")
}

func (s *server) create(t *testing.T, o object) object {
	t.Helper()
	code, answer := s.do(t, http.MethodPost, o.collection()+"?fieldValidation=Strict", o)
	if code != http.StatusCreated {
		t.Fatalf("%s: %d %s", o, code, in[string](answer, "message"))
	}
	t.Cleanup(func() { _, _, _ = s.send(t.Context(), http.MethodDelete, o.path(), "application/json", nil) })
	return answer
}

// verifyInjected looks at what the server stored: the sidecar first, without the token that the application has, and addresses in the application.
func verifyInjected(t *testing.T, pod object) {
	t.Helper()
	names, initial := containers(pod, "initContainers")
	if !slices.Equal(names, []string{injected, "migrate"}) {
		t.Fatalf("the init containers are %v", names)
	}
	sidecar := initial[injected]
	if in[string](sidecar, "restartPolicy") != "Always" || len(in[[]any](sidecar, "args")) < 5 || in[map[string]any](sidecar, "startupProbe") == nil {
		t.Errorf("the sidecar is %v", sidecar)
	}
	const tokens = "/var/run/secrets/kubernetes.io/serviceaccount"
	if at := mount(sidecar, tokens); at != "flagside-no-token" {
		t.Errorf("the sidecar has %q at the place of the token", at)
	}
	_, applications := containers(pod, "containers")
	shop := applications["shop"]
	if at := mount(shop, tokens); !strings.HasPrefix(at, "kube-api-access-") {
		t.Errorf("the application has %q at the place of its token", at)
	}
	if mount(shop, "/run/flagside") == "" {
		t.Error("the application does not have the sockets")
	}
	var env []string
	for _, one := range in[[]any](shop, "env") {
		env = append(env, in[string](object(one.(map[string]any)), "name"))
	}
	for _, name := range []string{"OFREP_ENDPOINT", "FLAGD_HOST", "FLAGD_PORT", "FLAGD_SYNC_PORT"} {
		if !slices.Contains(env, name) {
			t.Errorf("the application has %v, without %s", env, name)
		}
	}
}

// mount returns the volume that a container has at a path.
func mount(container object, path string) string {
	for _, one := range in[[]any](container, "volumeMounts") {
		if m := object(one.(map[string]any)); in[string](m, "mountPath") == path {
			return in[string](m, "name")
		}
	}
	return ""
}
