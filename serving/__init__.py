"""The service that answers with the champion's scores; needs neither mlflow nor scikit-learn."""
