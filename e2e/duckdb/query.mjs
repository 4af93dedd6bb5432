// Reads SQL from the standard input, and prints the rows of its last statement as JSON.
import { readFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

const database = await DuckDBInstance.create();
const connection = await database.connect();
const answer = await connection.runAndReadAll(readFileSync(0, "utf8"));
console.log(JSON.stringify(answer.getRowObjectsJson()));
