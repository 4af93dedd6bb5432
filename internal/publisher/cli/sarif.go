package cli

import (
	"net/url"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/internal/publisher/source"
)

// What is used of SARIF 2.1.0 (OASIS), by which code hosts show findings beside the lines of a change.
type (
	sarif struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifMessage `json:"shortDescription"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// The rules of SARIF results.
const (
	ruleMistake = "flag-file-mistake"
	ruleSlip    = "flag-file-slip"
)

func sarifOf(all source.Findings) sarif {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}, Tool: sarifTool{sarifDriver{
		Name: "flagside", InformationURI: "https://github.com/flagside/flagside", Rules: []sarifRule{
			{ruleMistake, sarifMessage{"A flag file that a publisher would refuse."}},
			{ruleSlip, sarifMessage{"A slip that is tolerated."}},
		},
	}}}
	for _, f := range all {
		rule := ruleMistake
		if f.Problem.Warning {
			rule = ruleSlip
		}
		place := sarifPlace{ArtifactLocation: sarifArtifact{uriOf(f.File)}}
		if f.Line > 0 {
			place.Region = &sarifRegion{StartLine: f.Line, StartColumn: characters(f)}
		}
		p := f.Problem
		p.Line, p.Column = 0, 0
		run.Results = append(run.Results, sarifResult{
			RuleID: rule, Level: level(f), Message: sarifMessage{p.Error()}, Locations: []sarifLocation{{place}},
		})
	}
	return sarif{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// uriOf returns the address of a file: relative to the working directory if it lies below it, as code hosts want it.
func uriOf(file string) string {
	address := url.URL{Path: filepath.ToSlash(filepath.Clean(file))}
	if !filepath.IsAbs(file) {
		return address.String()
	}
	if dir, err := os.Getwd(); err == nil {
		if below, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(below) {
			address.Path = filepath.ToSlash(below)
			return address.String()
		}
	}
	address.Scheme = "file"
	return address.String()
}
