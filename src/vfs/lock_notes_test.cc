#include "vfs/lock_notes.h"

#include <gtest/gtest.h>

namespace weir::vfs {
namespace {

/// The note was forgotten, so that the lock stayed for ever: closing the file again gave nothing up.
TEST(LockNotesTest, a_lock_that_is_granted_while_its_owner_gives_up_others_is_not_forgotten) {
  LockNotes notes(nullptr);
  const LockNotes::Place place{InodeId{7}, LockKind::kPosix, 3};
  notes.begin(place);  // waits for a lock
  notes.begin(place);  // another thread closes the file, and gives up all that there is
  notes.end(place, true);
  notes.end(place, false);
  EXPECT_TRUE(notes.may_hold(place));
  notes.begin(place);
  notes.end(place, false);
  EXPECT_FALSE(notes.may_hold(place));
}

}  // namespace
}  // namespace weir::vfs
