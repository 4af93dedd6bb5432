//! The Rust driver: `flagside-clients MODE ADDRESS`, commands on standard input, reports on standard output, one JSON object a line.
//!
//! The SDK has no default values and no events. An application takes its own default when there is an error, and so does the driver.

use open_feature::{
    Client, EvaluationContext, EvaluationContextFieldValue, EvaluationDetails, EvaluationErrorCode, EvaluationResult,
    OpenFeature, StructValue, Value as FlagValue,
};
use open_feature_flagd::{FlagdOptions, FlagdProvider, ResolverType};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use serde_json::{Map, Value, json};
use std::error::Error;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match open(&arguments[1], &arguments[2]).await {
        Ok(()) => report(json!({"event": "started"})),
        Err(error) => report(json!({"event": "failed", "message": error.to_string()})),
    }
    let client = OpenFeature::singleton().await.create_client();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let command: Value = serde_json::from_str(&line).expect("a command is JSON");
        let mut answer = match perform(&client, &command).await {
            Ok(answer) => answer,
            Err(failure) => json!({"failure": failure}),
        };
        answer["id"] = command["id"].clone();
        report(answer);
    }
}

async fn open(mode: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let mut api = OpenFeature::singleton_mut().await;
    if mode == "ofrep" {
        let base_url = format!("http://{address}");
        api.set_provider(OfrepProvider::new(OfrepOptions { base_url, ..Default::default() }).await?).await;
        return Ok(());
    }
    let resolver_type = if mode == "rpc" { ResolverType::Rpc } else { ResolverType::InProcess };
    // A machine that starts many programs at once needs more than the half second that is usual.
    let mut options = FlagdOptions { resolver_type, deadline_ms: 5000, ..Default::default() };
    match address.strip_prefix("unix:") {
        Some(path) => options.socket_path = Some(path.to_string()),
        None => {
            let (host, port) = address.split_once(':').ok_or("the address has no port")?;
            options.host = host.to_string();
            options.port = port.parse()?;
        }
    }
    if mode == "in-process" {
        options.cache_settings = None; // as the provider's own default for this mode
    }
    api.set_provider(FlagdProvider::new(options).await?).await;
    Ok(())
}

fn report(message: Value) {
    println!("{message}");
}

async fn perform(client: &Client, command: &Value) -> Result<Value, String> {
    let key = command["key"].as_str().unwrap_or_default();
    let context = evaluation_context(command["context"].as_object());
    let default = &command["default"];
    Ok(match command["type"].as_str().unwrap_or_default() {
        "boolean" => answer(client.get_bool_details(key, Some(&context), None).await, default, |v| json!(v)),
        "string" => answer(client.get_string_details(key, Some(&context), None).await, default, |v| json!(v)),
        "integer" => answer(client.get_int_details(key, Some(&context), None).await, default, |v| json!(v)),
        "float" => answer(client.get_float_details(key, Some(&context), None).await, default, |v| json!(v)),
        "object" => answer(client.get_struct_details::<StructValue>(key, Some(&context), None).await, default, object),
        other => return Err(format!("unknown type {other}")),
    })
}

fn evaluation_context(attributes: Option<&Map<String, Value>>) -> EvaluationContext {
    let mut context = EvaluationContext::default();
    for (name, value) in attributes.into_iter().flatten() {
        match value {
            Value::String(text) if name == "targetingKey" => context.targeting_key = Some(text.clone()),
            Value::String(text) => context.add_custom_field(name, text.as_str()),
            Value::Bool(flag) => context.add_custom_field(name, *flag),
            Value::Number(number) if number.is_i64() => context.add_custom_field(name, number.as_i64().unwrap_or_default()),
            Value::Number(number) => context.add_custom_field(name, number.as_f64().unwrap_or_default()),
            other => context.add_custom_field(name, EvaluationContextFieldValue::new_struct(other.clone())),
        }
    }
    context
}

fn answer<T>(result: EvaluationResult<EvaluationDetails<T>>, default: &Value, encode: impl Fn(T) -> Value) -> Value {
    match result {
        Ok(details) => json!({
            "value": encode(details.value),
            "variant": details.variant.unwrap_or_default(),
            "reason": details.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        }),
        Err(error) => json!({
            "value": default,
            "reason": "ERROR",
            "errorCode": match error.code {
                EvaluationErrorCode::General(_) => "GENERAL".to_string(),
                code => code.to_string(),
            },
            "errorMessage": error.message,
        }),
    }
}

fn object(value: StructValue) -> Value {
    Value::Object(value.fields.into_iter().map(|(name, member)| (name, json_of(member))).collect())
}

fn json_of(value: FlagValue) -> Value {
    match value {
        FlagValue::Bool(v) => json!(v),
        FlagValue::Int(v) => json!(v),
        FlagValue::Float(v) => json!(v),
        FlagValue::String(v) => json!(v),
        FlagValue::Array(items) => items.into_iter().map(json_of).collect(),
        FlagValue::Struct(members) => object(members),
    }
}
