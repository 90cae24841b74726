#include "kv/recalled_rows.h"

#include "base/limits.h"

namespace weir::kv {

RecalledRows::RecalledRows(Clock& clock, int64_t kept_ms) : rows_(clock, kept_ms * 1'000'000, limits::kRecalledRows) {}

std::optional<ReadAnswer> RecalledRows::recall(const ReadBatch& batch, ReadSet& reads) const {
  if (!batch.scans.empty() || batch.keys.size() > limits::kRecalledKeys) return std::nullopt;
  ReadAnswer answer;
  for (const Bytes& key : batch.keys) {
    std::optional<Row> row = rows_.of(key);
    if (!row) return std::nullopt;
    answer.values.push_back(std::move(*row));
  }
  std::vector<std::optional<Bytes>> linked;
  for (const ReadBatch::Link& link : batch.links) {
    const auto& key = linked.emplace_back(linked_key(link, answer.values[link.from]));
    if (!key) {
      answer.linked.emplace_back();
      continue;
    }
    std::optional<Row> row = rows_.of(*key);
    if (!row) return std::nullopt;
    answer.linked.push_back(std::move(*row));
  }
  const auto version_of = [](const Row& row) { return row ? row->version : 0; };
  for (size_t i = 0; i < batch.keys.size(); ++i) reads.expect(batch.keys[i], version_of(answer.values[i]));
  for (size_t i = 0; i < linked.size(); ++i)
    if (linked[i]) reads.expect(*linked[i], version_of(answer.linked[i]));
  return answer;
}

void RecalledRows::was_read(const ReadBatch& batch, const ReadAnswer& answer) {
  if (batch.keys.size() > limits::kRecalledKeys) return;
  for (size_t i = 0; i < batch.keys.size(); ++i) note(batch.keys[i], answer.values[i]);
  for (size_t i = 0; i < batch.links.size(); ++i)
    if (auto key = linked_key(batch.links[i], answer.values[batch.links[i].from])) note(*key, answer.linked[i]);
}

void RecalledRows::was_committed(const WriteSet& writes, Version version) {
  if (writes.writes().size() > 2 * limits::kRecalledKeys) return forget({}, writes);
  for (const auto& [key, bytes] : writes.writes()) note(key, bytes ? Row(Value{*bytes, version}) : Row());
}

void RecalledRows::forget(const ReadSet& reads, const WriteSet& writes) {
  for (const auto& [key, seen] : reads.seen()) rows_.forget(key);
  for (const auto& [key, bytes] : writes.writes()) rows_.forget(key);
}

void RecalledRows::note(std::string_view key, const Row& row) {
  if (row && row->bytes.size() > limits::kRecalledRowBytes) return rows_.forget(Bytes(key));
  rows_.note(Bytes(key), [&](Row& noted) { noted = row; });
}

}  // namespace weir::kv
