#include "meta/id_allocator.h"

#include "base/limits.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "meta/volume.h"

namespace weir::meta {

Result<uint64_t> IdAllocator::next(keys::CounterKind kind) {
  Range& range = ranges_[static_cast<size_t>(kind) - 1];
  MutexLock lock(range.mutex);
  if (range.next == range.end) {
    ASSIGN_OR_RETURN(range.next, take_range(kind));
    range.end = range.next + limits::kIdRange;
  }
  return range.next++;
}

Result<uint64_t> IdAllocator::take_range(keys::CounterKind kind) {
  const Bytes key = keys::counter(kind);
  uint64_t first = 0;
  TRY(run_repeatable(volume_.engine(), volume_.clock(), volume_.random(), [&](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto value, transaction.get(key));
    if (!value) return error(Code::kCorrupt, "the volume has no counter {}", static_cast<int>(kind));
    ASSIGN_OR_RETURN(CounterRow row, CounterRow::decode(value->bytes));
    first = row.next;
    row.next += limits::kIdRange;
    transaction.put(key, row.encode());
    return {};
  }));
  // The staging journal may name an inode that a power loss takes back; its number must not come to name another.
  TRY(volume_.engine().barrier());
  if (kind == keys::CounterKind::kInode && first + limits::kIdRange > kInodeIdMax)
    return error(Code::kNoSpace, "the volume has used up its {} inode numbers", kInodeIdMax);
  return first;
}

}  // namespace weir::meta
