package charttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const component = "../kustomize/sidecar"

// patch returns the kustomize component's patch: the sidecar as the named template has it.
func componentPatch(t *testing.T) string {
	t.Helper()
	spec := included(t)
	spec.Containers = nil
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "any"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"initContainers": spec.InitContainers, "volumes": spec.Volumes}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return "# Made from the chart's named template: FLAGSIDE_UPDATE=1 go test ./... in deploy/charttest writes it.\n" + string(text)
}

// The component's patch is what the chart's named template says.
func TestComponentIsUpToDate(t *testing.T) {
	file := filepath.Join(component, "sidecar.yaml")
	want := componentPatch(t)
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		write(t, file, want)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the chart says (%v): run FLAGSIDE_UPDATE=1 go test ./... in deploy/charttest", file, err)
	}
}

// kustomized returns the pod of an application that uses the component.
func kustomized(t *testing.T) core.PodSpec {
	t.Helper()
	dir := t.TempDir()
	absolute, err := filepath.Abs(component)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "sidecar"), os.DirFS(absolute)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "kustomization.yaml"), "resources: [deployment.yaml]\ncomponents: [sidecar]\n")
	write(t, filepath.Join(dir, "deployment.yaml"), `apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {flagside.dev/inject: enabled}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: shop, image: "shop:1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec:
      containers:
        - {name: other, image: "other:1"}
`)
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Decode(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	var spec core.PodSpec
	for _, object := range objects {
		d := object.(*apps.Deployment)
		if d.Name == "other" && len(d.Spec.Template.Spec.InitContainers) > 0 {
			t.Error("an application without the label got a sidecar")
		}
		if d.Name == "shop" {
			spec = d.Spec.Template.Spec
		}
	}
	return spec
}

func TestComponent(t *testing.T) {
	spec := kustomized(t)
	if len(spec.InitContainers) != 1 || len(spec.Containers) != 1 || spec.Containers[0].Name != "shop" {
		t.Fatalf("the pod has %v and %v", spec.InitContainers, spec.Containers)
	}
	verifyContainer(t, "shop", spec.InitContainers[0], false)
}
