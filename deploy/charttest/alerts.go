package charttest

import (
	"os"

	"sigs.k8s.io/yaml"
)

// AlertsFile has the alerts, for Prometheus and for the chart.
const AlertsFile = Chart + "/files/alerts.yaml"

// Alert is a rule of the file of alerts.
type Alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// Alerts reads the file of alerts.
func Alerts() ([]Alert, error) {
	text, err := os.ReadFile(AlertsFile)
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []Alert
		}
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, err
	}
	var all []Alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all, nil
}
