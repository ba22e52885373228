package node

import (
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestAReaderThatIsTooSlowIsToldSo(t *testing.T) {
	t.Parallel()
	h := newHub()
	for i := range hubSize + 10 {
		h.publish([]change{{id: int64(i + 1), state: store.Queued}})
	}
	list, missed, _, _ := h.after(0)
	if !missed || list[0].seq != 11 || list[0].id != 11 || len(list) != 256 {
		t.Errorf("missed %v, %d changes from %+v", missed, len(list), list[0])
	}
	list, missed, _, _ = h.after(hubSize + 8)
	if missed || len(list) != 2 || list[1].id != hubSize+10 {
		t.Errorf("missed %v, %+v", missed, list)
	}
	list, _, closed, news := h.after(hubSize + 10)
	if len(list) != 0 || closed {
		t.Errorf("%+v %v", list, closed)
	}
	h.publish([]change{{id: 1}})
	<-news
	h.close()
	if _, _, closed, news := h.after(hubSize + 11); !closed {
		t.Error("not closed")
	} else {
		<-news
	}
	h.publish([]change{{id: 2}}) // after the end: kept, nobody is waited for
}
