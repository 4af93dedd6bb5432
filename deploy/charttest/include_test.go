package charttest

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// included renders a chart of an application that depends on this one.
func included(t *testing.T) core.PodSpec {
	t.Helper()
	shop, err := loader.Load("testdata/shop")
	if err != nil {
		t.Fatal(err)
	}
	flagside, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	shop.AddDependency(flagside)
	values, err := util.ToRenderValues(shop, nil, common.ReleaseOptions{Name: "shop", Namespace: "shop", IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(shop, values)
	if err != nil {
		t.Fatal(err)
	}
	var pods []core.PodSpec
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		objects, err := Decode(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, object := range objects {
			d, ok := object.(*apps.Deployment)
			if !ok {
				t.Fatalf("%s has a %T: a chart that only includes makes nothing of the publisher", name, object)
			}
			pods = append(pods, d.Spec.Template.Spec)
		}
	}
	if len(pods) != 1 {
		t.Fatalf("%d pods", len(pods))
	}
	return pods[0]
}

func TestInclude(t *testing.T) {
	spec := included(t)
	verifyInjected(t, &core.Pod{Spec: spec}, "prod")
}

// All ways into a pod lead to the same container: the policy adds what the named template says.
func TestEveryWayGivesTheSameSidecar(t *testing.T) {
	want := included(t)
	got := admit(t, compiled(t), application())
	policy := got.Spec.InitContainers[0]
	policy.Args = policy.Args[:len(policy.Args)-1] // what the example values add
	if diff := cmp.Diff(want.InitContainers[0], policy); diff != "" {
		t.Errorf("the policy's container (-include +policy):\n%s", diff)
	}
	if diff := cmp.Diff(want.Volumes, got.Spec.Volumes[1:]); diff != "" {
		t.Errorf("the policy's volumes (-include +policy):\n%s", diff)
	}
	component := kustomized(t)
	if diff := cmp.Diff(want.InitContainers[0], component.InitContainers[0]); diff != "" {
		t.Errorf("the kustomize component's container (-include +component):\n%s", diff)
	}
	if diff := cmp.Diff(want.Volumes, component.Volumes); diff != "" {
		t.Errorf("the kustomize component's volumes (-include +component):\n%s", diff)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
