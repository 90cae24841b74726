#include "meta/pins.h"

#include "base/limits.h"
#include "meta/content_change.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "model/node_info.h"

namespace weir::meta {

namespace {

/// Rows that go when the collector gives the content up. Of many pages a few are looked at.
std::vector<Bytes> rows_of_content(const Inode& inode) {
  constexpr size_t kPagesLookedAt = 4;
  std::vector<Bytes> row_keys;
  for (const ChunkId& chunk : distinct_chunks(inode.content.chunks))
    row_keys.push_back(keys::reference(chunk, keys::OwnerKind::kInode, inode.id.value));
  for (const PageId page : inode.content.pages)
    if (page.value != 0 && row_keys.size() < kPagesLookedAt) row_keys.push_back(keys::page(page));
  return row_keys;
}

Result<bool> is_node(kv::Transaction& transaction, NodeId node) {
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::node(node)));
  if (!value) return false;
  ASSIGN_OR_RETURN(const NodeInfo info, NodeInfo::decode(value->bytes));
  return info.active;
}

}  // namespace

Status pin_content(Volume& volume, const Pin& pin) {
  const Bytes key = keys::pin(pin.inode.id, pin.inode.generation, volume.node());
  const Bytes row = PinRow{pin.first_epoch, pin.inode.encode()}.encode();
  const std::vector<Bytes> content = rows_of_content(pin.inode);
  auto done = run_transaction(volume, {}, [&](Attempt& attempt) -> Status {
    // Validated, so that it shows in the scan of whoever fences it later, or conflicts with who did before.
    TRY(attempt.transaction.get(keys::pin_guard(pin.inode.id)));
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many(content));
    for (const auto& value : values)
      if (!value)
        return error(Code::kStale, "generation {} of inode {} has been given up", pin.inode.generation,
                     pin.inode.id.value);
    attempt.transaction.put(keys::pin_guard(pin.inode.id), MarkRow().encode());
    attempt.transaction.put(key, row);
    return {};
  });
  return done ? Status() : Status(Failure(done.error()));
}

Status unpin_content(Volume& volume, InodeId inode, uint64_t generation) {
  TRY(run_transaction(volume, {}, [&](Attempt& attempt) -> Status {
    attempt.transaction.erase(keys::pin(inode, generation, volume.node()));
    return {};
  }));
  return {};
}

Result<std::vector<Pin>> pins_of_this_node(Volume& volume) {
  std::vector<Pin> pins;
  auto transaction = volume.engine().begin();
  kv::KeyRange range = keys::all_of(keys::kPin);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const keys::PinKey parts, keys::parse_pin(row.key));
      if (parts.is_guard || parts.node != volume.node()) continue;
      ASSIGN_OR_RETURN(const PinRow pinned, PinRow::decode(row.bytes));
      ASSIGN_OR_RETURN(Inode inode, Inode::decode(parts.inode, pinned.inode));
      pins.push_back({std::move(inode), pinned.first_epoch});
    }
    if (rows.size() < limits::kScanRows) return pins;
    range = keys::behind(range, rows.back().key);
  }
}

Result<bool> is_pinned(kv::Transaction& transaction, InodeId inode, uint64_t generation) {
  const Bytes guard = keys::pin_guard(inode);
  TRY(transaction.fence(guard));
  bool pinned = false;
  bool any = false;
  kv::KeyRange range = keys::pins_of(inode);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const keys::PinKey parts, keys::parse_pin(row.key));
      ASSIGN_OR_RETURN(const bool alive, is_node(transaction, parts.node));
      if (!alive) {
        transaction.erase(row.key);
        continue;
      }
      any = true;
      pinned = pinned || parts.generation <= generation;
    }
    if (rows.size() < limits::kScanRows) break;
    range = keys::behind(range, rows.back().key);
  }
  if (!any) transaction.erase(guard);
  return pinned;
}

}  // namespace weir::meta
