#include "kv/postgres/postgres_statement.h"

#include <libpq-fe.h>

#include <utility>

#include "base/check.h"

namespace weir::kv {
namespace {

// From PostgreSQL's catalogue pg_type; they never change.
constexpr unsigned kBoolean = 16, kBytea = 17, kInt8 = 20;
constexpr unsigned kBooleanArray = 1000, kByteaArray = 1001, kInt8Array = 1016;
constexpr uint32_t kNull = 0xffffffff;

/// The head of a one-dimensional array from 1 on; of no elements, an array without dimensions.
Encoder array_head(size_t count, bool nulls, unsigned element) {
  Encoder encoder;
  encoder.u32(count > 0 ? 1 : 0).u32(nulls ? 1 : 0).u32(element);
  if (count > 0) encoder.u32(static_cast<uint32_t>(count)).u32(1);
  return encoder;
}

}  // namespace

PostgresStatement& PostgresStatement::bytes(std::string_view value) {
  parameters_.emplace_back(value);
  types_.push_back(kBytea);
  return *this;
}

PostgresStatement& PostgresStatement::integer(int64_t value) {
  parameters_.push_back(Encoder().i64(value).bytes());
  types_.push_back(kInt8);
  return *this;
}

PostgresStatement& PostgresStatement::bytes_array(const std::vector<std::string_view>& values) {
  Encoder encoder = array_head(values.size(), false, kBytea);
  for (std::string_view value : values) encoder.sized(value);
  parameters_.push_back(std::move(encoder).take());
  types_.push_back(kByteaArray);
  return *this;
}

PostgresStatement& PostgresStatement::integer_array(const std::vector<int64_t>& values) {
  Encoder encoder = array_head(values.size(), true, kInt8);
  for (int64_t value : values) {
    if (value < 0)
      encoder.u32(kNull);
    else
      encoder.u32(sizeof value).i64(value);
  }
  parameters_.push_back(std::move(encoder).take());
  types_.push_back(kInt8Array);
  return *this;
}

PostgresStatement& PostgresStatement::boolean_array(const std::vector<bool>& values) {
  Encoder encoder = array_head(values.size(), false, kBoolean);
  for (bool value : values) encoder.u32(1).u8(value ? 1 : 0);
  parameters_.push_back(std::move(encoder).take());
  types_.push_back(kBooleanArray);
  return *this;
}

PostgresRows::PostgresRows(pg_result* result) : result_(result) {}
PostgresRows::~PostgresRows() { PQclear(result_); }
PostgresRows::PostgresRows(PostgresRows&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
PostgresRows& PostgresRows::operator=(PostgresRows&& other) noexcept {
  std::swap(result_, other.result_);
  return *this;
}

size_t PostgresRows::count() const { return static_cast<size_t>(PQntuples(result_)); }

std::string_view PostgresRows::bytes(size_t row, int column) const {
  const int index = static_cast<int>(row);
  return {PQgetvalue(result_, index, column), static_cast<size_t>(PQgetlength(result_, index, column))};
}

int64_t PostgresRows::integer(size_t row, int column) const {
  const std::string_view value = bytes(row, column);
  CHECK(value.size() == sizeof(int64_t) || value.size() == sizeof(int32_t));
  Decoder decoder(value);
  return value.size() == sizeof(int64_t) ? decoder.i64() : static_cast<int32_t>(decoder.u32());
}

bool PostgresRows::boolean(size_t row, int column) const { return Decoder(bytes(row, column)).u8() != 0; }

}  // namespace weir::kv
