package cache_test

import (
	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/sync/follow"
)

var _ follow.Target = (*cache.Store)(nil)
