package architecture

import (
	"regexp"
	"testing"
)

// A version stands in several files, and a release has one.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	version := func(file, pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(readFile(t, file))
		if match == nil {
			t.Fatalf("%s has nothing like %s", file, pattern)
		}
		return match[1]
	}
	const chart = "deploy/helm/flagside/Chart.yaml"
	want := version(chart, `(?m)^appVersion: (\d+\.\d+\.\d+)$`)
	for file, pattern := range map[string]string{
		chart:                                   `(?m)^version: (\S+)$`,
		"deploy/helm/flagside/README.begin.md":  `(?m)^- (\d\S+): `,
		"deploy/kustomize/sidecar/sidecar.yaml": `image: flagside/sidecar:(\S+)`,
		"docs/kubernetes.md":                    `\{name: flagside, version: ([^,]+),`,
		"CHANGELOG.md":                          `(?m)^## (\d\S*)`,
		"docs/install.md":                       `flagside_(\d+\.\d+\.\d+)_linux_amd64`,
	} {
		if got := version(file, pattern); got != want {
			t.Errorf("%s has version %s, and the appVersion of the chart is %s", file, got, want)
		}
	}
}
