#include "meta/check_content.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/content_change.h"
#include "meta/removal.h"
#include "model/chunk.h"
#include "model/manifest.h"

namespace weir::meta {

namespace {

constexpr size_t kReferencesChecked = 512;  // looked up at once

uint64_t short_hash(const ChunkId& id) { return std::hash<ChunkId>()(id); }

/// Mends a queue row by taking out what must not be in it.
Fix remove_from_queue(Bytes key, std::function<void(QueueRow&)> remove) {
  return [key = std::move(key), remove = std::move(remove)](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto value, transaction.get(key));
    if (!value) return {};
    ASSIGN_OR_RETURN(QueueRow row, QueueRow::decode(value->bytes));
    remove(row);
    transaction.put(key, row.encode());
    return {};
  };
}

/// Reads one range in batches, row by row.
class RowStream {
 public:
  RowStream(kv::Engine& engine, kv::KeyRange range) : engine_(engine), rest_(std::move(range)) {}
  /// Nothing at the end. Borrowed until next().
  Result<const kv::KeyValue*> peek() {
    if (position_ == rows_.size() && !ended_) {
      ASSIGN_OR_RETURN(rows_, engine_.begin()->scan(rest_, limits::kScanRows));
      position_ = 0;
      ended_ = rows_.size() < limits::kScanRows;
      if (!rows_.empty()) rest_ = keys::behind(rest_, rows_.back().key);
    }
    return position_ < rows_.size() ? &rows_[position_] : nullptr;
  }
  void next() { ++position_; }

 private:
  kv::Engine& engine_;
  kv::KeyRange rest_;
  std::vector<kv::KeyValue> rows_;
  size_t position_ = 0;
  bool ended_ = false;
};

/// The chunk id in a key of a `C`, `R` or `H` row.
std::optional<ChunkId> chunk_in(const kv::KeyValue& row) {
  if (row.key.size() < 33) return std::nullopt;
  return ChunkId::from_bytes(std::string_view(row.key).substr(1, 32));
}

}  // namespace

Status ContentCheck::read_queue() {
  TRY(context_.for_each_decoded<QueueRow>(
      keys::kQueue, [&](const kv::KeyValue& row, const QueueRow& queued) { return read_queue_row(row, queued); }));
  return context_.for_each_decoded<BuildRow>(keys::kBuild,
                                             [&](const kv::KeyValue& row, const BuildRow& build) -> Status {
                                               auto parts = keys::parse_pair(row.key);
                                               if (!parts) return context_.found_undecodable(row, parts.error());
                                               context_.saw_number(keys::CounterKind::kSerial, parts->second);
                                               for (PageId page : build.pages) {
                                                 context_.saw_number(keys::CounterKind::kPage, page.value);
                                                 building_pages_.insert(page.value);
                                               }
                                               return {};
                                             });
}

Status ContentCheck::read_queue_row(const kv::KeyValue& row, const QueueRow& queued) {
  auto parts = keys::parse_queue(row.key);
  if (!parts) return context_.found_undecodable(row, parts.error());
  context_.saw_number(keys::CounterKind::kSerial, parts->serial);
  for (const ChunkId& chunk : queued.references) {
    uint64_t& generation = queued_references_[{queued.inode.value, chunk}];
    generation = std::max(generation, queued.generation);
  }
  for (PageId page : queued.pages) queued_pages_[page.value] = row.key;
  for (const ChunkGeneration& chunk : queued.chunks)
    (parts->queue_class == keys::QueueClass::kObject ? objects_ : condemned_)[{chunk.chunk, chunk.generation}] =
        row.key;
  return {};
}

Status ContentCheck::check_file(const Inode& inode) {
  context_.counts().content_bytes += inode.size;
  switch (inode.content.form) {
    case Content::Form::kInline: return {};
    case Content::Form::kChunks: return check_chunk_list(inode);
    case Content::Form::kPages: return check_page_list(inode);
  }
  return {};
}

Status ContentCheck::check_chunk_list(const Inode& inode) {
  name(inode, inode.content.chunks);
  TRY(check_manifest(inode, inode.content.chunks));
  return check_references(distinct_chunks(inode.content.chunks), keys::OwnerKind::kInode, inode.id.value, inode.id,
                          inode.generation);
}

Status ContentCheck::check_page_list(const Inode& inode) {
  std::vector<ChunkId> chunks(chunk_count(inode.size));
  bool complete = true;
  for (size_t index = 0; index < inode.content.pages.size(); ++index) {
    const PageId page = inode.content.pages[index];
    if (page.value == 0) continue;
    context_.saw_number(keys::CounterKind::kPage, page.value);
    if (!used_pages_.insert({page.value, PageUse{inode.id}}).second) {
      TRY(context_.found("shared_page", fmt::format("page {} is in use twice", page.value), inode.id, nullptr));
    }
    const size_t first = index * limits::kPageChunkIds;
    const size_t length = std::min(limits::kPageChunkIds, chunks.size() - first);
    ASSIGN_OR_RETURN(auto values, context_.get_many({keys::page(page)}));
    auto row = values[0] ? PageRow::decode(values[0]->bytes) : Result<PageRow>(PageRow());
    if (!values[0]) {
      TRY(context_.found("missing_page", fmt::format("page {} of inode {} is missing", page.value, inode.id.value),
                         inode.id, nullptr));
    } else if (row && (row->owner != inode.id || row->chunks.size() != length)) {
      TRY(context_.found("wrong_page", fmt::format("page {} does not fit inode {}", page.value, inode.id.value),
                         inode.id, nullptr));
    } else if (row) {
      std::copy(row->chunks.begin(), row->chunks.end(), chunks.begin() + static_cast<ptrdiff_t>(first));
      continue;
    }
    complete = false;
  }
  name(inode, chunks);
  return complete ? check_manifest(inode, chunks) : Status();
}

Status ContentCheck::check_manifest(const Inode& inode, const std::vector<ChunkId>& chunks) {
  const ManifestId manifest = Manifest{inode.size, chunks}.id();
  if (manifest == inode.content.manifest) return {};
  return context_.found("wrong_manifest",
                        fmt::format("inode {} has another manifest id than its content", inode.id.value), inode.id,
                        [&](kv::Transaction& transaction) -> Status {
                          Inode mended = inode;
                          mended.content.manifest = manifest;
                          transaction.put(keys::inode(inode.id), mended.encode());
                          return {};
                        });
}

Status ContentCheck::check_references(const std::vector<ChunkId>& chunks, keys::OwnerKind kind, uint64_t owner,
                                      InodeId inode, uint64_t generation) {
  for (size_t first = 0; first < chunks.size(); first += kReferencesChecked) {
    std::vector<Bytes> row_keys;
    for (size_t i = first; i < std::min(first + kReferencesChecked, chunks.size()); ++i)
      row_keys.push_back(keys::reference(chunks[i], kind, owner));
    ASSIGN_OR_RETURN(auto values, context_.get_many(row_keys));
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i]) continue;
      const Bytes& key = row_keys[i];
      TRY(context_.found("missing_reference",
                         fmt::format("inode {} has no reference to chunk {}", inode.value, chunks[first + i].hex()),
                         inode, [&](kv::Transaction& transaction) -> Status {
                           transaction.put(key, ReferenceRow{generation}.encode());
                           return {};
                         }));
    }
  }
  return {};
}

void ContentCheck::name(const Inode& inode, const std::vector<ChunkId>& chunks) {
  for (size_t index = 0; index < chunks.size(); ++index)
    if (!chunks[index].is_zero())
      named_.insert({chunks[index], Named{static_cast<uint32_t>(chunk_length(inode.size, index)), inode.id}});
}

Status ContentCheck::check_pages() {
  return context_.for_each_decoded<PageRow>(
      keys::kPage, [&](const kv::KeyValue& row, const PageRow& page) { return check_page(row, page); });
}

Status ContentCheck::check_page(const kv::KeyValue& row, const PageRow& page) {
  auto number = keys::parse_number(row.key);
  if (!number) return context_.found_undecodable(row, number.error());
  context_.saw_number(keys::CounterKind::kPage, *number);
  std::vector<ChunkId> chunks = distinct_chunks(page.chunks);
  std::vector<uint64_t>& hashes = page_chunks_[*number];
  for (const ChunkId& chunk : chunks) hashes.push_back(short_hash(chunk));
  std::sort(hashes.begin(), hashes.end());

  auto used = used_pages_.find(*number);
  auto queued = queued_pages_.find(*number);
  if (used != used_pages_.end() && queued != queued_pages_.end()) {
    TRY(context_.found("queued_page_in_use", fmt::format("page {} is in use and queued for erasure", *number),
                       used->second.inode, remove_from_queue(queued->second, [page_number = *number](QueueRow& entry) {
                         std::erase(entry.pages, PageId{page_number});
                       })));
  }
  const bool building = building_pages_.contains(*number);
  if (used == used_pages_.end() && queued == queued_pages_.end() && !building) {
    return context_.found("lost_page", fmt::format("page {} belongs to no content", *number), InodeId{},
                          [&](kv::Transaction& transaction) -> Status {
                            QueueRow entry;
                            entry.inode = page.owner;
                            entry.pages.push_back(PageId{*number});
                            return queue_content(context_.volume(), transaction, entry, true);
                          });
  }
  return check_references(chunks, keys::OwnerKind::kPage, *number, page.owner, 0);
}

Status ContentCheck::check_chunks() {
  kv::Engine& engine = context_.volume().engine();
  RowStream records(engine, keys::all_of(keys::kChunk));
  RowStream references(engine, keys::all_of(keys::kReference));
  RowStream duties(engine, keys::all_of(keys::kDuty));
  for (;;) {
    // The least chunk id of the three.
    std::optional<ChunkId> id;
    for (RowStream* stream : {&records, &references, &duties}) {
      ASSIGN_OR_RETURN(const kv::KeyValue* row, stream->peek());
      while (row != nullptr && !chunk_in(*row)) {
        TRY(context_.found_undecodable(*row, Error{Code::kCorrupt, "its key is too short"}));
        stream->next();
        ASSIGN_OR_RETURN(row, stream->peek());
      }
      if (row != nullptr && (!id || *chunk_in(*row) < *id)) id = chunk_in(*row);
    }
    if (!id) break;
    ChunkRows rows;
    auto take = [&](RowStream& stream, const std::function<Status(const kv::KeyValue&)>& use) -> Status {
      for (;;) {
        ASSIGN_OR_RETURN(const kv::KeyValue* row, stream.peek());
        if (row == nullptr || chunk_in(*row) != id) return {};
        TRY(use(*row));
        stream.next();
      }
    };
    TRY(take(records, [&](const kv::KeyValue& row) -> Status {
      auto record = ChunkRecord::decode(row.bytes);
      if (record && row.key.size() == 33) {
        rows.record = *record;
        return {};
      }
      rows.undecodable = true;
      return context_.found_undecodable(row, record ? Error{Code::kCorrupt, "its key is too long"} : record.error());
    }));
    TRY(take(references, [&](const kv::KeyValue& row) -> Status {
      rows.references.push_back(row);
      return {};
    }));
    TRY(take(duties, [&](const kv::KeyValue& row) -> Status {
      rows.duties.push_back(row);
      return {};
    }));
    TRY(check_chunk(*id, rows));
  }
  for (const auto& [chunk, use] : named_) {
    if (use.known) continue;
    TRY(context_.found(
        "missing_chunk_record",
        fmt::format("inode {} names chunk {}, which the volume does not know", use.by.value, chunk.hex()), use.by,
        nullptr));
  }
  return {};
}

Status ContentCheck::check_chunk(const ChunkId& id, const ChunkRows& rows) {
  size_t valid_references = 0;
  for (const kv::KeyValue& row : rows.references) {
    bool is_stray = false;
    TRY(check_reference_row(id, row, is_stray));
    if (!is_stray) ++valid_references;
  }
  for (const kv::KeyValue& row : rows.duties) {
    auto parts = keys::parse_duty(row.key);
    auto mark = MarkRow::decode(row.bytes);
    if (!parts || !mark) TRY(context_.found_undecodable(row, parts ? mark.error() : parts.error()));
  }
  auto use = named_.find(id);
  if (rows.undecodable) {
    if (use != named_.end()) use->second.known = true;
    return {};
  }
  if (rows.record) return check_record(id, rows, valid_references);
  if (use == named_.end() && rows.references.empty()) {
    for (const kv::KeyValue& row : rows.duties) {
      TRY(context_.found("unknown_duty", fmt::format("there is a duty to upload chunk {}, which is unknown", id.hex()),
                         InodeId{}, [&](kv::Transaction& transaction) -> Status {
                           transaction.erase(row.key);
                           return {};
                         }));
    }
  } else if (use == named_.end() && valid_references > 0) {
    TRY(context_.found("missing_chunk_record",
                       fmt::format("superseded content names chunk {}, which the volume does not know", id.hex()),
                       InodeId{}, nullptr));
  }
  return {};
}

Status ContentCheck::check_reference_row(const ChunkId& id, const kv::KeyValue& row, bool& is_stray) {
  auto parts = keys::parse_reference(row.key);
  auto reference = ReferenceRow::decode(row.bytes);
  if (!parts || !reference) return context_.found_undecodable(row, parts ? reference.error() : parts.error());
  ASSIGN_OR_RETURN(bool justified, reference_is_justified(*parts, *reference));
  is_stray = !justified;
  if (justified) return {};
  return context_.found("stray_reference",
                        fmt::format("{} {} does not name chunk {} but has a reference to it",
                                    parts->kind == keys::OwnerKind::kPage ? "page" : "inode", parts->owner, id.hex()),
                        InodeId{}, [&](kv::Transaction& transaction) -> Status {
                          transaction.erase(row.key);
                          ASSIGN_OR_RETURN(auto rest, transaction.scan(keys::references_of(id), 2));
                          if (rest.size() < 2) return queue_condemned(transaction, id);
                          return {};
                        });
}

Result<bool> ContentCheck::reference_is_justified(const keys::ReferenceKey& reference, const ReferenceRow& row) {
  if (reference.kind == keys::OwnerKind::kPage) {
    auto page = page_chunks_.find(reference.owner);
    return page != page_chunks_.end() &&
           std::binary_search(page->second.begin(), page->second.end(), short_hash(reference.chunk));
  }
  auto queued = queued_references_.find({reference.owner, reference.chunk});
  if (queued != queued_references_.end() && row.generation <= queued->second) return true;
  ASSIGN_OR_RETURN(auto values, context_.get_many({keys::inode(InodeId{reference.owner})}));
  if (!values[0]) return false;
  auto inode = Inode::decode(InodeId{reference.owner}, values[0]->bytes);
  if (!inode) return true;  // reported already; who knows what it names
  const auto& chunks = inode->content.chunks;
  return std::find(chunks.begin(), chunks.end(), reference.chunk) != chunks.end();
}

Status ContentCheck::check_record(const ChunkId& id, const ChunkRows& rows, size_t valid_references) {
  const ChunkRecord& record = *rows.record;
  context_.saw_number(keys::CounterKind::kSerial, record.generation);
  auto deletion = objects_.find({id, record.generation});
  if (deletion != objects_.end()) {
    TRY(context_.found("deletion_of_live_chunk", fmt::format("the object of chunk {} is queued for deletion", id.hex()),
                       InodeId{}, remove_from_queue(deletion->second, [&](QueueRow& entry) {
                         std::erase_if(entry.chunks, [&](const ChunkGeneration& chunk) {
                           return chunk.chunk == id && chunk.generation == record.generation;
                         });
                       })));
  }
  auto use = named_.find(id);
  const bool condemned = record.state == ChunkState::kCondemned;
  const bool stored = record.state == ChunkState::kStored || record.was_stored;
  if (use != named_.end()) {
    use->second.known = true;
    ++context_.counts().chunks;
    if (stored) ++context_.counts().stored_chunks;
    if (record.length_bytes != use->second.length_bytes) {
      TRY(context_.found("wrong_chunk_length",
                         fmt::format("chunk {} has {} bytes, inode {} expects {}", id.hex(), record.length_bytes,
                                     use->second.by.value, use->second.length_bytes),
                         use->second.by, nullptr));
    }
    if (visit_chunk_) visit_chunk_(id, record);
  }
  const bool is_needed = use != named_.end() || (valid_references > 0 && !condemned);
  if (is_needed && !stored && rows.duties.empty()) {
    TRY(context_.found("chunk_without_holder",
                       fmt::format("chunk {} is neither in the store nor with any node that would upload it", id.hex()),
                       use != named_.end() ? use->second.by : InodeId{}, nullptr));
  }
  const bool queued = condemned && condemned_.contains({id, record.generation});
  const bool forgotten =
      condemned ? (rows.references.empty() || record.was_stored) && !queued : rows.references.empty();
  if (!forgotten || use != named_.end()) return {};
  return context_.found("unnamed_chunk", fmt::format("nothing names chunk {}, and nothing will remove it", id.hex()),
                        InodeId{}, [&](kv::Transaction& transaction) { return queue_condemned(transaction, id); });
}

Status ContentCheck::queue_condemned(kv::Transaction& transaction, const ChunkId& id) {
  const Bytes key = keys::chunk(id);
  ASSIGN_OR_RETURN(auto value, transaction.get(key));
  if (!value) return {};
  ASSIGN_OR_RETURN(ChunkRecord record, ChunkRecord::decode(value->bytes));
  if (record.state != ChunkState::kCondemned) {
    record.was_stored = record.state == ChunkState::kStored;
    record.state = ChunkState::kCondemned;
    transaction.put(key, record.encode());
  }
  QueueRow entry;
  entry.chunks.push_back({id, record.generation, record.length_bytes});
  ASSIGN_OR_RETURN(uint64_t serial, context_.volume().new_serial());
  transaction.put(keys::queue(keys::QueueClass::kCondemned, due_ms(context_.volume(), true), serial), entry.encode());
  return {};
}

}  // namespace weir::meta
