package architecture

import (
	"regexp"
	"testing"
)

// A version stands in several files, and a release has one.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	versions := func(file, pattern string) (all []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(readFile(t, file), -1) {
			all = append(all, match[1])
		}
		if all == nil {
			t.Fatalf("%s has nothing like %s", file, pattern)
		}
		return all
	}
	const chart = "deploy/helm/flagside/Chart.yaml"
	want := versions(chart, `(?m)^appVersion: (\d+\.\d+\.\d+)$`)[0]
	for file, pattern := range map[string]string{
		chart:                                   `(?m)^version: (\S+)$`,
		"deploy/helm/flagside/README.begin.md":  `(?m)^- (\d\S+): `,
		"deploy/kustomize/sidecar/sidecar.yaml": `image: flagside/sidecar:(\S+)`,
		"docs/kubernetes.md":                    `\{name: flagside, version: ([^,]+),`,
		"CHANGELOG.md":                          `(?m)^## (\d\S*)`,
		"docs/install.md":                       `(?:_|git checkout v)(\d+\.\d+\.\d+)(?:_| )`,
	} {
		found := versions(file, pattern)
		if file != "docs/install.md" { // the others also name earlier versions, below
			found = found[:1]
		}
		for _, got := range found {
			if got != want {
				t.Errorf("%s has version %s, and the appVersion of the chart is %s", file, got, want)
			}
		}
	}
}
