package main

import (
	"context"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/l4"
)

// keepRecords looks after the records until over is closed: it writes those of sessions that live, and says
// now and then what was not written.
func (s *service) keepRecords(over <-chan struct{}) {
	timer := time.NewTimer(s.recordsPause())
	defer timer.Stop()
	looked, said := time.Now(), time.Now()
	var told admin.RecordCounts
	for {
		select {
		case <-over:
			s.records.tell(&told, s.server.RecordsDropped())
			return
		case now := <-timer.C:
			// Once per tenth of the interval is exact enough, and a walk over all sessions is not free.
			if every := s.config().Log.Interim; every > 0 && now.Sub(looked) >= every/10 {
				s.recordOpen(every, now.Sub(looked))
				looked = now
			}
			if now.Sub(said) >= sayDropped {
				s.records.tell(&told, s.server.RecordsDropped())
				said = now
			}
			timer.Reset(s.recordsPause())
		}
	}
}

// sayDropped is how often at most it is said that records were dropped.
const sayDropped = 10 * time.Second

// recordsPause is how long there is nothing to look after. A reload may change it, which is seen at the next look.
func (s *service) recordsPause() time.Duration {
	if every := s.config().Log.Interim; every > 0 {
		return min(max(every/10, time.Second), sayDropped)
	}
	return sayDropped
}

// maxOpenBatch bounds how many records of living sessions are held at a time.
const maxOpenBatch = 256

// recordOpen writes the records of sessions whose age has passed a multiple of every since a while ago.
func (s *service) recordOpen(every, since time.Duration) {
	var batch []l4.Record
	s.server.Views(context.Background(), func(v l4.View) bool {
		if v.Duration/every > max(v.Duration-since, 0)/every {
			batch = append(batch, v.Record)
		}
		if len(batch) == maxOpenBatch {
			s.records.open(batch)
			batch = batch[:0]
		}
		return true
	})
	s.records.open(batch)
}
