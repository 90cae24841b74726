#include "meta/collect.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "meta/collector_turn.h"
#include "meta/dead_nodes.h"
#include "meta/keys.h"
#include "meta/pins.h"
#include "meta/reference.h"
#include "meta/removal.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "model/chunk.h"

namespace weir::meta {

namespace {

using keys::QueueClass;

struct QueueItem {
  Bytes key;
  keys::QueueKey parts;
  QueueRow row;
};

/// One run of the collector.
class Collector {
 public:
  Collector(Volume& volume, bool ignore_grace, const RemoveObjects& remove_objects, const KeepGoing& keep_going)
      : volume_(volume), remove_objects_(remove_objects), keep_going_(keep_going) {
    due_until_ms_ = ignore_grace ? UINT64_MAX : due_ms(volume, true);
  }

  Result<CollectReport> run() {
    // All is looked for again in this node's turn; without any, a run writes nothing.
    ASSIGN_OR_RETURN(const bool found, has_work());
    if (found) {
      ASSIGN_OR_RETURN(turn_, CollectorTurn::take(volume_));
      TRY(collect_all());
    }
    TRY(count_waiting());
    return report_;
  }

 private:
  Status collect_all() {
    TRY(undo_builds(builds_that_ended(), [](kv::Transaction&) { return Status(); }));
    TRY(release_what_the_dead_left());
    TRY(for_each_due(QueueClass::kContent, [&](const QueueItem& item) { return release_content(item); }));
    TRY(for_each_due(QueueClass::kCondemned, [&](const QueueItem& item) { return decide_condemned(item); }));
    return delete_objects();
  }

  kv::KeyRange builds_that_ended() const {
    kv::KeyRange range = keys::builds_of(volume_.node());
    range.end = keys::build(volume_.node(), volume_.first_publish());
    return range;
  }

  Result<bool> has_work() {
    ASSIGN_OR_RETURN(const std::vector<DeadNode> dead, dead_nodes(volume_));
    kv::ReadBatch batch;
    for (const QueueClass queue_class : {QueueClass::kContent, QueueClass::kCondemned, QueueClass::kObject})
      batch.scans.push_back({keys::queue_of(queue_class), 1});
    const size_t queues = batch.scans.size();
    batch.scans.push_back({builds_that_ended(), 1});
    for (const DeadNode& node : dead) {
      batch.scans.push_back({keys::builds_of(node.node), 1});
      batch.scans.push_back({keys::orphans_of(node.node), 1});
    }
    auto transaction = volume_.engine().begin();
    ASSIGN_OR_RETURN(const kv::ReadAnswer answer, transaction->read(batch));
    for (size_t i = 0; i < answer.scans.size(); ++i) {
      if (answer.scans[i].empty()) continue;
      if (i >= queues) return true;
      ASSIGN_OR_RETURN(const keys::QueueKey oldest, keys::parse_queue(answer.scans[i][0].key));
      if (oldest.due_ms <= due_until_ms_) return true;
    }
    return false;
  }

  bool keep_going() {
    if (keep_going_ && !stopped_) stopped_ = !keep_going_(report_);
    return !stopped_;
  }

  Status mutate(const std::function<Status(kv::Transaction&)>& body) {
    bool first = true;
    auto done = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) -> Status {
      TRY(turn_->validate(attempt.transaction, std::exchange(first, false)));
      return body(attempt.transaction);
    });
    if (!done) return Failure(std::move(done).error());
    return {};
  }

  /// Queue entries of a class that are due, oldest first, `limit` at most, behind `cursor`, which moves on.
  Result<std::vector<QueueItem>> next_due(kv::KeyRange& cursor, size_t limit) {
    ASSIGN_OR_RETURN(auto rows, volume_.engine().begin()->scan(cursor, limit));
    std::vector<QueueItem> items;
    for (kv::KeyValue& row : rows) {
      QueueItem item;
      ASSIGN_OR_RETURN(item.parts, keys::parse_queue(row.key));
      if (item.parts.due_ms > due_until_ms_) break;
      ASSIGN_OR_RETURN(item.row, QueueRow::decode(row.bytes));
      item.key = std::move(row.key);
      items.push_back(std::move(item));
    }
    if (!items.empty()) cursor = keys::behind(cursor, items.back().key);
    return items;
  }

  Status for_each_due(QueueClass queue_class, const std::function<Status(const QueueItem&)>& work) {
    kv::KeyRange cursor = keys::queue_of(queue_class);
    while (keep_going()) {
      ASSIGN_OR_RETURN(auto items, next_due(cursor, limits::kQueueEntriesAtOnce));
      if (items.empty()) return {};
      for (const QueueItem& item : items) {
        TRY(work(item));
        if (stopped_) return {};
        ++report_.queue_entries;
        if (!keep_going()) return {};
      }
    }
    return {};
  }

  using Guard = std::function<Status(kv::Transaction&)>;

  /// Publishes that their process did not finish and cannot any more, as `guard` validates: their pages go the way of
  /// superseded ones. Once the `B` row is away nothing can add to them.
  Status undo_builds(const kv::KeyRange& range, const Guard& guard) {
    return for_each_row(range, [&](const Bytes& key) { return undo_build(key, guard); });
  }

  Status for_each_row(kv::KeyRange range, const std::function<Status(const Bytes& key)>& work) {
    while (keep_going()) {
      ASSIGN_OR_RETURN(auto rows, volume_.engine().begin()->scan(range, limits::kQueueEntriesAtOnce));
      for (const kv::KeyValue& row : rows) TRY(work(row.key));
      if (rows.size() < limits::kQueueEntriesAtOnce) return {};
      range = keys::behind(range, rows.back().key);
    }
    return {};
  }

  /// Nodes that are not alive finish no publish and have nothing open.
  Status release_what_the_dead_left() {
    ASSIGN_OR_RETURN(std::vector<DeadNode> nodes, dead_nodes(volume_));
    for (const DeadNode& dead : nodes) {
      Status released = release_what_was_left_by(dead);
      if (!released && released.error().code != Code::kStale) return released;
    }
    return {};
  }

  Status release_what_was_left_by(const DeadNode& dead) {
    TRY(undo_builds(keys::builds_of(dead.node),
                    [&](kv::Transaction& transaction) { return check_dead(transaction, dead); }));
    return for_each_row(keys::orphans_of(dead.node), [&](const Bytes& key) -> Status {
      ASSIGN_OR_RETURN(keys::PairKey parts, keys::parse_pair(key));
      return mutate([&](kv::Transaction& transaction) -> Status {
        TRY(check_dead(transaction, dead));
        return erase_orphan(volume_, transaction, dead, InodeId{parts.second});
      });
    });
  }

  Status undo_build(const Bytes& key, const Guard& guard) {
    return mutate([&](kv::Transaction& transaction) -> Status {
      TRY(guard(transaction));
      ASSIGN_OR_RETURN(auto value, transaction.get(key));
      if (!value) return {};
      ASSIGN_OR_RETURN(BuildRow build, BuildRow::decode(value->bytes));
      transaction.erase(key);
      QueueRow row;
      row.inode = build.inode;
      row.pages = std::move(build.pages);
      return queue_content(volume_, transaction, row, true);
    });
  }

  /// Where only one node is, what it has open is no content that is superseded.
  Result<bool> is_kept(kv::Transaction& transaction, const QueueItem& item) {
    if (!volume_.engine().capabilities().shared) return false;
    return is_pinned(transaction, item.row.inode, item.row.generation);
  }

  /// What a node has open still keeps its entry.
  Status release_content(const QueueItem& item) {
    bool pinned = false;
    for (PageId page : item.row.pages) {
      TRY(release_page(item, page, pinned));
      if (pinned) return {};
      if (!keep_going()) return {};  // the entry stays; pages that are gone are passed over next time
    }
    return release_references(item);
  }

  /// Erases a page with its references. A page that is in use after all is a sign of a broken database.
  Status release_page(const QueueItem& item, PageId page, bool& pinned) {
    uint64_t erased = 0, condemned = 0;
    TRY(mutate([&](kv::Transaction& transaction) -> Status {
      erased = condemned = 0;
      ASSIGN_OR_RETURN(pinned, is_kept(transaction, item));
      if (pinned) return {};
      const Bytes key = keys::page(page);
      ASSIGN_OR_RETURN(auto value, transaction.get(key));
      if (!value) return {};
      ASSIGN_OR_RETURN(bool current, page_is_current(transaction, page));
      if (current) return error(Code::kCorrupt, "page {} is queued for erasure but in use", page.value);
      ASSIGN_OR_RETURN(PageRow row, PageRow::decode(value->bytes));
      transaction.erase(key);
      std::vector<Bytes> references;
      std::vector<ChunkId> chunks;
      for (const ChunkId& chunk : std::set<ChunkId>(row.chunks.begin(), row.chunks.end())) {
        if (chunk.is_zero()) continue;
        chunks.push_back(chunk);
        references.push_back(keys::reference(chunk, keys::OwnerKind::kPage, page.value));
      }
      for (const Bytes& reference : references) transaction.erase(reference);
      erased = references.size();
      return condemn_unnamed(transaction, chunks, references, condemned);
    }));
    report_.references_erased += erased;
    report_.chunks_condemned += condemned;
    return {};
  }

  /// Gives up the references that an inode had to chunks by itself, and the queue entry.
  Status release_references(const QueueItem& item) {
    uint64_t erased = 0, condemned = 0;
    TRY(mutate([&](kv::Transaction& transaction) -> Status {
      erased = condemned = 0;
      ASSIGN_OR_RETURN(const bool pinned, is_kept(transaction, item));
      if (pinned) return {};
      transaction.erase(item.key);
      if (item.row.references.empty()) return {};
      std::vector<Bytes> row_keys;
      for (const ChunkId& chunk : item.row.references)
        row_keys.push_back(keys::reference(chunk, keys::OwnerKind::kInode, item.row.inode.value));
      ASSIGN_OR_RETURN(auto values, transaction.get_many(row_keys));
      std::vector<ChunkId> chunks;
      std::vector<Bytes> references;
      for (size_t i = 0; i < values.size(); ++i) {
        if (!values[i]) continue;
        ASSIGN_OR_RETURN(ReferenceRow reference, ReferenceRow::decode(values[i]->bytes));
        // Taken again since: a later entry speaks for it, or it is in use.
        if (reference.generation > item.row.generation) continue;
        ASSIGN_OR_RETURN(
            bool current,
            reference_is_current(transaction, {item.row.references[i], keys::OwnerKind::kInode, item.row.inode.value}));
        if (current) continue;
        chunks.push_back(item.row.references[i]);
        references.push_back(row_keys[i]);
        transaction.erase(row_keys[i]);
      }
      erased = references.size();
      return condemn_unnamed(transaction, chunks, references, condemned);
    }));
    report_.references_erased += erased;
    report_.chunks_condemned += condemned;
    return {};
  }

  /// Condemns those of `chunks` that have no references but the `erased` ones. What the scans miss is found out when
  /// the condemned are decided about.
  Status condemn_unnamed(kv::Transaction& transaction, const std::vector<ChunkId>& chunks,
                         const std::vector<Bytes>& erased, uint64_t& condemned) {
    std::vector<ChunkId> unnamed;
    std::vector<Bytes> chunk_keys;
    for (size_t i = 0; i < chunks.size(); ++i) {
      ASSIGN_OR_RETURN(auto rows, transaction.scan(keys::references_of(chunks[i]), 2));
      std::erase_if(rows, [&](const kv::KeyValue& row) { return row.key == erased[i]; });
      if (!rows.empty()) continue;
      unnamed.push_back(chunks[i]);
      chunk_keys.push_back(keys::chunk(chunks[i]));
    }
    if (unnamed.empty()) return {};
    ASSIGN_OR_RETURN(auto values, transaction.get_many(chunk_keys));
    QueueRow row;
    for (size_t i = 0; i < unnamed.size(); ++i) {
      if (!values[i]) continue;
      ASSIGN_OR_RETURN(ChunkRecord record, ChunkRecord::decode(values[i]->bytes));
      row.chunks.push_back({unnamed[i], record.generation, record.length_bytes});
      if (record.state == ChunkState::kCondemned) continue;
      record.was_stored = record.state == ChunkState::kStored;
      record.state = ChunkState::kCondemned;
      transaction.put(chunk_keys[i], record.encode());
      ++condemned;
    }
    if (row.chunks.empty()) return {};
    ASSIGN_OR_RETURN(uint64_t serial, volume_.new_serial());
    transaction.put(keys::queue(QueueClass::kCondemned, due_ms(volume_, true), serial), row.encode());
    return {};
  }

  Status decide_condemned(const QueueItem& item) {
    for (const ChunkGeneration& chunk : item.row.chunks) {
      TRY(decide(chunk));
      if (!keep_going()) return {};
    }
    return mutate([&](kv::Transaction& transaction) -> Status {
      transaction.erase(item.key);
      return {};
    });
  }

  /// For good: erased with its object queued, or live again.
  Status decide(const ChunkGeneration& chunk) {
    bool revived = false;
    auto done = mutate([&](kv::Transaction& transaction) -> Status {
      revived = false;
      const Bytes key = keys::chunk(chunk.chunk);
      // Whoever takes the chunk into use validates this row: what did so before shows in the scan, the others conflict.
      TRY(transaction.fence(key));
      ASSIGN_OR_RETURN(auto value, transaction.get(key));
      if (!value) return {};
      ASSIGN_OR_RETURN(ChunkRecord record, ChunkRecord::decode(value->bytes));
      if (record.state != ChunkState::kCondemned || record.generation != chunk.generation) return {};
      ASSIGN_OR_RETURN(auto references, transaction.scan(keys::references_of(chunk.chunk), 1));
      ASSIGN_OR_RETURN(auto holders, transaction.scan(keys::duties_of(chunk.chunk), limits::kScanRows));
      if (!references.empty()) {
        // Without object and holder there is nothing to come back to; the last reference's end queues it again.
        if (!record.was_stored && holders.empty()) return {};
        record.state = record.was_stored ? ChunkState::kStored : ChunkState::kStaged;
        record.was_stored = false;
        transaction.put(key, record.encode());
        revived = true;
        return {};
      }
      transaction.erase(key);
      for (const kv::KeyValue& holder : holders) transaction.erase(holder.key);
      // Who sent it may have died before that was noted.
      QueueRow object;
      object.chunks.push_back({chunk.chunk, record.generation, record.was_stored ? record.length_bytes : 0});
      ASSIGN_OR_RETURN(uint64_t serial, volume_.new_serial());
      transaction.put(keys::queue(QueueClass::kObject, due_ms(volume_, true), serial), object.encode());
      return {};
    });
    TRY(std::move(done));
    if (revived) ++report_.chunks_revived;
    return {};
  }

  Status delete_objects() {
    kv::KeyRange cursor = keys::queue_of(QueueClass::kObject);
    while (keep_going()) {
      ASSIGN_OR_RETURN(auto items, next_due(cursor, limits::kQueueEntriesAtOnce));
      if (items.empty()) return {};
      // A power loss must not bring back rows that name what is deleted now.
      TRY(volume_.engine().barrier());
      TRY(delete_objects_of(items));
      TRY(mutate([&](kv::Transaction& transaction) -> Status {
        for (const QueueItem& item : items) transaction.erase(item.key);
        return {};
      }));
      report_.queue_entries += items.size();
    }
    return {};
  }

  Status delete_objects_of(const std::vector<QueueItem>& items) {
    std::vector<std::string> names;
    uint64_t objects = 0, bytes = 0;
    for (const QueueItem& item : items) {
      for (const ChunkGeneration& chunk : item.row.chunks) {
        names.push_back(chunk_object_name(chunk.chunk, chunk.generation));
        if (chunk.length_bytes == 0) continue;  // nobody knows whether it is there
        ++objects;
        bytes += chunk.length_bytes;
      }
    }
    TRY(remove_objects_(names));
    report_.objects_deleted += objects;
    report_.bytes_deleted += bytes;
    return {};
  }

  Status count_waiting() {
    kv::KeyRange cursor = keys::all_of(keys::kQueue);
    for (;;) {
      ASSIGN_OR_RETURN(auto rows, volume_.engine().begin()->scan(cursor, limits::kScanRows));
      report_.waiting += rows.size();
      if (rows.size() < limits::kScanRows) return {};
      cursor = keys::behind(cursor, rows.back().key);
    }
  }

  Volume& volume_;
  const RemoveObjects& remove_objects_;
  const KeepGoing& keep_going_;
  std::unique_ptr<CollectorTurn> turn_;
  uint64_t due_until_ms_ = 0;
  bool stopped_ = false;
  CollectReport report_;
};

}  // namespace

Result<CollectReport> collect(Volume& volume, bool ignore_grace, const RemoveObjects& remove_objects,
                              const KeepGoing& keep_going) {
  return Collector(volume, ignore_grace, remove_objects, keep_going).run();
}

}  // namespace weir::meta
