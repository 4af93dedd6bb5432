package charttest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// transcripts is the page with what the chart makes of values, and the ways into a pod of a pod.
func transcripts(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("# What Kubernetes gets\n\nMade by the tests of the chart: `FLAGSIDE_UPDATE=1 go test ./...` in deploy/charttest writes this page. [kubernetes.md](kubernetes.md) says\nwhat it is for.\n\n" +
		"## helm template\n\n`helm template flags deploy/helm/flagside --namespace flagside -f EXAMPLE`, in short:\n")
	examples := renderedExamples(t)
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		r := examples[name]
		fmt.Fprintf(&out, "\n### %s\n\n```\n", name+".yaml")
		for _, o := range r.Objects {
			namespace := o.GetNamespace()
			if namespace != "" {
				namespace += "/"
			}
			fmt.Fprintf(&out, "%s %s%s\n", strings.TrimPrefix(fmt.Sprintf("%T", o)[strings.LastIndex(fmt.Sprintf("%T", o), ".")+1:], "*"), namespace, o.GetName())
		}
		out.WriteString("```\n")
	}
	before := application()
	after := admit(t, compiled(t), before)
	out.WriteString("\n## By label: an admission policy\n\nA pod that asks for a sidecar:\n\n" + shownPod(t, before.Spec) + "\nThe same pod as the API server stores it:\n\n" + shownPod(t, after.Spec) +
		"\n## In a chart: a named template\n\n" + shownPod(t, included(t)) + "\n## With kustomize: a component\n\n" + shownPod(t, kustomized(t)))
	return out.String()
}

func shownPod(t *testing.T, spec core.PodSpec) string {
	t.Helper()
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return "```yaml\n" + string(text) + "```\n"
}

func TestTranscriptsAreUpToDate(t *testing.T) {
	const file = "../../docs/kubernetes-transcripts.md"
	want := transcripts(t)
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		write(t, file, want)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs; FLAGSIDE_UPDATE=1 go test ./... in deploy/charttest writes it:\n%s", file, diff)
	}
}
