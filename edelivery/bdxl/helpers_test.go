package bdxl

import "time"

func clock() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) }
