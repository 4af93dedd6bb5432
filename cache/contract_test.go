package cache_test

import (
	"github.com/flagside/flagside/cache"
	flagsync "github.com/flagside/flagside/sync"
)

var _ flagsync.Target = (*cache.Store)(nil)
