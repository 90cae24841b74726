#include "kv/rocksdb/rocksdb_store.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <array>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/sync_files.h"
#include "kv/rocksdb/rocksdb_options.h"
#include "kv/rocksdb/rocksdb_status.h"

namespace weir::kv {
namespace {

constexpr const char* kBookkeeping = "weir";
constexpr std::string_view kReservedEnd = "reserved_versions_end";

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Result<Value> decode(const rocksdb::Slice& stored) {
  Decoder decoder({stored.data(), stored.size()});
  const Version version = decoder.u64();
  std::string_view bytes = decoder.raw(decoder.remaining());
  TRY(decoder.finish("value of the metadata engine"));
  return Value{Bytes(bytes), version};
}

Result<std::optional<Value>> decode_found(const rocksdb::Status& status, const rocksdb::PinnableSlice& stored) {
  if (status.IsNotFound()) return std::nullopt;
  TRY(status_of_rocksdb(status, "read metadata"));
  return decode(stored);
}

}  // namespace

Result<std::unique_ptr<RocksdbStore>> RocksdbStore::open(EngineDirectory directory, bool create) {
  std::unique_ptr<RocksdbStore> store(new RocksdbStore(std::move(directory)));
  TRY(store->open_database(create));
  TRY(store->read_reserved_end());
  if (create) {
    TRY(store->sync());
    TRY(store->directory_.finish_create());
  }
  return store;
}

RocksdbStore::RocksdbStore(EngineDirectory directory) : directory_(std::move(directory)) {}

RocksdbStore::~RocksdbStore() {
  if (!database_) return;
  database_->DestroyColumnFamilyHandle(bookkeeping_);
  database_->DestroyColumnFamilyHandle(content_);
  database_->Close();
}

Status RocksdbStore::open_database(bool create) {
  rocksdb::DBOptions options = database_options();
  options.create_if_missing = create;
  options.error_if_exists = create;
  options.create_missing_column_families = create;
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {{rocksdb::kDefaultColumnFamilyName, content_options()},
                                                                 {kBookkeeping, bookkeeping_options()}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  TRY(checked(rocksdb::DB::Open(options, directory_.database_path(), families, &handles, &database), "open"));
  database_.reset(database);
  CHECK(handles.size() == families.size());
  content_ = handles[0];
  bookkeeping_ = handles[1];
  return {};
}

Status RocksdbStore::read_reserved_end() {
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status = database_->Get({}, bookkeeping_, slice(kReservedEnd), &stored);
  if (status.IsNotFound()) return {};
  TRY(checked(status, "read"));
  Decoder decoder({stored.data(), stored.size()});
  reserved_end_ = decoder.u64();
  return decoder.finish("reserved versions of the metadata engine");
}

Result<std::optional<Value>> RocksdbStore::get(std::string_view key) {
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status = database_->Get({}, content_, slice(key), &stored);
  return decode_found(status, stored);
}

Result<std::vector<std::optional<Value>>> RocksdbStore::get_many(const std::vector<Bytes>& keys) {
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> stored(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  database_->MultiGet({}, content_, keys.size(), slices.data(), stored.data(), statuses.data());
  std::vector<std::optional<Value>> values(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSIGN_OR_RETURN(values[i], decode_found(statuses[i], stored[i]));
  }
  return values;
}

Result<std::vector<KeyValue>> RocksdbStore::scan(const KeyRange& range, size_t limit, bool reverse) {
  std::vector<KeyValue> rows;
  if (!range.end.empty() && range.end <= range.begin) return rows;
  const rocksdb::Slice begin = slice(range.begin);
  const rocksdb::Slice end = slice(range.end);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &begin;
  if (!range.end.empty()) options.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> row(database_->NewIterator(options, content_));
  for (reverse ? row->SeekToLast() : row->SeekToFirst(); row->Valid() && rows.size() < limit;
       reverse ? row->Prev() : row->Next()) {
    ASSIGN_OR_RETURN(Value value, decode(row->value()));
    rows.push_back({row->key().ToString(), std::move(value.bytes), value.version});
  }
  TRY(checked(row->status(), "scan"));
  return rows;
}

Status RocksdbStore::write(const WriteSet& writes, Version version) {
  resume_if_stopped();
  const Bytes prefix = Encoder().u64(version).bytes();
  rocksdb::WriteBatch batch;
  for (const auto& [key, bytes] : writes.writes()) {
    const rocksdb::Slice key_slice = slice(key);
    if (!bytes) {
      TRY(checked(batch.Delete(content_, key_slice), "write"));
      continue;
    }
    const std::array<rocksdb::Slice, 2> value = {slice(prefix), slice(*bytes)};
    TRY(checked(batch.Put(content_, rocksdb::SliceParts(&key_slice, 1), rocksdb::SliceParts(value.data(), 2)),
                "write"));
  }
  const rocksdb::Status status = database_->Write({}, &batch);
  stopped_ = !status.ok();
  return checked(status, "write");
}

Result<Version> RocksdbStore::reserve_versions(uint64_t count) {
  resume_if_stopped();
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const Version first = reserved_end_;
  const Bytes end = Encoder().u64(first + count).bytes();
  const rocksdb::Status status = database_->Put(durable, bookkeeping_, slice(kReservedEnd), end);
  stopped_ = !status.ok();
  TRY(checked(status, "reserve versions"));
  reserved_end_ = first + count;
  return first;
}

Status RocksdbStore::sync() {
  if (unsynced_)
    return error(Code::kIo, "sync the metadata in {}: an earlier sync failed; unmount and mount again",
                 directory_.path());
  // RocksDB aborts when it is to sync a log whose last append failed. What was acknowledged is in the logs before that,
  // or in tables, which RocksDB syncs.
  Status synced = io::sync_files(directory_.database_path(), ".log");
  // The kernel reports what it lost once.
  if (!synced) unsynced_ = true;
  return synced;
}

void RocksdbStore::resume_if_stopped() {
  if (!stopped_) return;
  const int64_t now_ns = SystemClock().monotonic_ns();
  if (now_ns - resumed_ns_ < limits::kRocksResumeMs * 1'000'000) return;
  resumed_ns_ = now_ns;
  // If it does not succeed, the write that follows tells the reason.
  database_->Resume().PermitUncheckedError();
}

Status RocksdbStore::checked(const rocksdb::Status& status, std::string_view action) const {
  if (status.ok()) return {};
  return status_of_rocksdb(status, fmt::format("{} the metadata in {}", action, directory_.path()));
}

}  // namespace weir::kv
