#[tokio::test]
async fn go() { let d = std::path::PathBuf::from(std::env::var("D").unwrap()); println!("{:?}", examples::drill::export::export(&d).await.map(|_|())); }
