#include "meta/dump.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/random.h"
#include "meta/dump_frames.h"
#include "meta/keys.h"
#include "meta/run_transaction.h"

namespace weir::meta {

namespace {

constexpr char kLocks = 'K';

/// Of processes that are gone when the volume is opened elsewhere.
bool is_left_out(std::string_view key) {
  return !key.empty() && (key[0] == keys::kSlot || key[0] == keys::kLease || key[0] == kLocks);
}

Status put_rows(kv::Engine& engine, const std::vector<DumpRow>& rows, size_t begin, size_t end) {
  SystemClock clock;
  SystemRandom random;
  TRY(run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
    for (size_t i = begin; i < end; ++i) transaction.put(rows[i].first, rows[i].second);
    return {};
  }));
  return {};
}

}  // namespace

Result<DumpProgress> write_dump(kv::Engine& engine, int fd, const KeepDumping& keep_going) {
  auto transaction = engine.begin();
  ASSIGN_OR_RETURN(auto settings, transaction->get(keys::settings()));
  if (!settings) return error(Code::kNotFound, "there is no volume at {}", engine.name());
  DumpWriter writer(fd);
  TRY(writer.begin(settings->bytes));
  kv::KeyRange range;
  uint64_t unstored = 0;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      if (row.key == keys::settings() || is_left_out(row.key)) continue;
      TRY(writer.add(row.key, row.bytes));
      if (row.key[0] == keys::kDuty) ++unstored;
    }
    more = rows.size() == limits::kScanRows;
    if (more) range = keys::behind(range, rows.back().key);
    if (!keep_going({writer.rows(), writer.bytes()})) return error(Code::kInterrupted, "the dump was interrupted");
  }
  TRY(writer.finish());
  return DumpProgress{writer.rows(), writer.bytes(), unstored};
}

Result<VolumeSettings> read_dump_settings(int fd) {
  DumpReader reader(fd);
  ASSIGN_OR_RETURN(const Bytes bytes, reader.begin());
  ASSIGN_OR_RETURN(VolumeSettings settings, VolumeSettings::decode(bytes));
  if (const uint32_t format = std::max(settings.oldest_reader, settings.oldest_writer); format > kVolumeFormat)
    return error(Code::kUnsupported, "the dumped volume has format {}, and this weir knows formats up to {}", format,
                 kVolumeFormat);
  return settings;
}

Result<DumpProgress> load_dump(kv::Engine& engine, int fd, const KeepDumping& keep_going) {
  ASSIGN_OR_RETURN(const bool occupied, has_rows(engine));
  if (occupied) return error(Code::kNotEmpty, "{} has rows in it already", engine.name());
  DumpReader reader(fd);
  TRY(reader.begin());
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, reader.next());
    if (!rows) return DumpProgress{reader.rows(), reader.bytes()};
    for (const DumpRow& row : *rows)
      if (row.first == keys::settings()) return error(Code::kCorrupt, "the dump has the settings twice");
    // A frame fits into one transaction, but may have more rows than is good for one.
    for (size_t begin = 0; begin < rows->size(); begin += limits::kScanRows)
      TRY(put_rows(engine, *rows, begin, std::min(begin + limits::kScanRows, rows->size())));
    if (!keep_going({reader.rows(), reader.bytes()})) return error(Code::kInterrupted, "the load was interrupted");
  }
}

Status put_settings(kv::Engine& engine, const VolumeSettings& settings) {
  return put_rows(engine, {{keys::settings(), settings.encode()}}, 0, 1);
}

Status wipe(kv::Engine& engine) {
  SystemClock clock;
  SystemRandom random;
  for (bool more = true; more;) {
    TRY(run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
      ASSIGN_OR_RETURN(auto rows, transaction.scan({}, limits::kScanRows));
      for (const kv::KeyValue& row : rows) {
        CHECK(row.key != keys::settings());
        transaction.erase(row.key);
      }
      more = !rows.empty();
      return {};
    }));
  }
  return {};
}

Result<bool> has_rows(kv::Engine& engine) {
  ASSIGN_OR_RETURN(auto rows, engine.begin()->scan({}, 1));
  return !rows.empty();
}

}  // namespace weir::meta
