package requests_test

import (
	"testing"

	"github.com/flagside/flagside/internal/publisher/control/requests"
)

func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"v":1,"type":"request.approved","by":"x","at":"2001-09-09T01:46:40Z","request":"r","hash":"h"}`))
	f.Add([]byte(`{"v":1,"type":"request.opened","at":"2001-09-09T01:46:40Z","proposal":{"changes":[{"kind":"flag","key":"a","body":{}}]}}`))
	f.Add([]byte(`{"v":1,"type":"lifecycle.expired","at":"2001-09-09T01:46:40Z","flags":[{"key":"a","owner":"o","kind":"experiment","revision":3}]}`))
	f.Add([]byte(`{"v":1,"type":"settings.lifecycle","at":"2001-09-09T01:46:40Z","lifecycle":{"expiringDays":14,"staleDays":90,"onExpiry":{"experiment":{"action":"freeze"}}}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := requests.DecodeEvent(data)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err == nil {
			if _, err := requests.DecodeEvent(again); err != nil {
				t.Errorf("%q became %q: %v", data, again, err)
			}
		}
		_ = requests.NewGovernance("prod").Evolve(1, e)
	})
}
